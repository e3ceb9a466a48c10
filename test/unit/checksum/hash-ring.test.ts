import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HashRing, type Stretch } from '../../../src/checksum/hash-ring.ts'

const MIB = 1024 * 1024

/** The other side: takes a stretch out and gives its room back. */
function drain({ shared }: HashRing, { at, length }: Stretch): Buffer {
  const ring = Buffer.from(shared.bytes)
  const bytes = Buffer.from(Buffer.concat([ring, ring]).subarray(at, at + length))
  Atomics.add(new Int32Array(shared.done), 0, length)
  return bytes
}

describe('the memory shared with the thread', () => {
  it('has room for eight MiB that are not taken out, and no byte more', () => {
    const ring = new HashRing()
    const whole = ring.take([Buffer.alloc(5 * MIB), Buffer.alloc(3 * MIB)])
    expect(whole).toEqual({ at: 0, length: 8 * MIB })
    expect(ring.take([Buffer.alloc(1)])).toBeNull()
    drain(ring, { at: 0, length: 2 })
    expect(ring.take([Buffer.alloc(3)])).toBeNull()
    expect(ring.take([Buffer.alloc(2)])).toEqual({ at: 0, length: 2 })
  })

  it('gives out what was put in, also across its end', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 3 * MIB }), { minLength: 5, maxLength: 9 })
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 2 }), (lengths, behind) => {
        const ring = new HashRing()
        const waiting: { readonly stretch: Stretch; readonly bytes: Buffer }[] = []
        for (const [index, length] of lengths.entries()) {
          const bytes = Buffer.alloc(length, index + 1)
          const stretch = ring.take([bytes.subarray(0, length >> 1), bytes.subarray(length >> 1)])
          expect(stretch).not.toBeNull()
          if (stretch !== null) waiting.push({ stretch, bytes })
          if (waiting.length <= behind - 1) continue
          const first = waiting.shift()
          if (first !== undefined) expect(drain(ring, first.stretch).equals(first.bytes)).toBe(true)
        }
      }),
      { numRuns: 15 },
    )
  })
})
