import { describe, expect, it } from 'vitest'
import { growthOf } from '../../../../adapters/standalone/heap-headroom.ts'

const MIB = 1024 ** 2

describe('the headroom of the heap', () => {
  it('is 96 MiB, however small the heap is', () => {
    expect([20, 48, 96, 192].map((used) => growthOf(used * MIB))).toEqual([480, 200, 100, 50])
  })

  it('is left to V8 where the heap is large', () => {
    expect(growthOf(193 * MIB)).toBe(0)
  })

  it('is a number that V8 takes where next to nothing is used', () => {
    expect(growthOf(0)).toBe(9600)
  })
})
