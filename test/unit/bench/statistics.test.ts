import { describe, expect, it } from 'vitest'
import { percentile, ratiosOf, spreadOf } from '../../bench/statistics.ts'

describe('the spread of values', () => {
  it.each([
    [[3, 1, 2], { median: 2, lowest: 1, highest: 3 }],
    [[10, 9, 2, 1], { median: 5.5, lowest: 1, highest: 10 }],
    [[7], { median: 7, lowest: 7, highest: 7 }],
    [[], { median: NaN, lowest: NaN, highest: NaN }],
  ])('of %j is the middle and the ends', (values, spread) => {
    expect(spreadOf(values)).toEqual(spread)
  })

  it('sorts numbers, not texts, and leaves them where they were', () => {
    const values = [100, 20, 3]
    expect(spreadOf(values).median).toBe(20)
    expect(values).toEqual([100, 20, 3])
  })
})

describe('a percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n)

  it.each([
    [0, 1],
    [0.5, 50],
    [0.99, 99],
    [1, 100],
  ])('%d of 1 to 100 is %d', (part, value) => {
    expect(percentile(hundred, part)).toBe(value)
  })

  it('of few values is one of them; of none there is none', () => {
    expect(percentile([4, 5], 0.99)).toBe(5)
    expect(percentile([], 0.5)).toBeNaN()
  })
})

describe('ratios', () => {
  it('are taken round by round, as far as both have come', () => {
    expect(ratiosOf([10, 30, 7], [5, 10])).toEqual([2, 3])
  })
})
