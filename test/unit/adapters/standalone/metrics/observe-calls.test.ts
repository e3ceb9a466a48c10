import { describe, expect, it } from 'vitest'
import { observeCalls } from '../../../../../adapters/standalone/metrics/observe-calls.ts'

class Counter {
  #count = 0
  readonly kind = 'counter'

  get count(): number {
    return this.#count
  }

  async add(by: number): Promise<number> {
    if (by < 0) throw new RangeError('less')
    this.#count += by
    return this.#count
  }

  double(): number {
    return this.#count * 2
  }
}

function observed(replaced: Partial<Counter> = {}) {
  const told: [call: string, failed: boolean][] = []
  const counter = observeCalls(
    new Counter(),
    (call, seconds, error) => {
      expect(seconds).toBeGreaterThanOrEqual(0)
      told.push([call, error !== null])
    },
    replaced,
  )
  return { counter, told }
}

describe('an observed object', () => {
  it('does what the object does, private fields and getters included', async () => {
    const { counter } = observed()
    expect(await counter.add(2)).toBe(2)
    expect([counter.count, counter.double(), counter.kind]).toEqual([2, 4, 'counter'])
  })

  it('tells of calls that return promises, also of those that fail, and passes the failure on', async () => {
    const { counter, told } = observed()
    await counter.add(1)
    await expect(counter.add(-1)).rejects.toThrow(RangeError)
    counter.double()
    expect(told).toEqual([
      ['add', false],
      ['add', true],
    ])
  })

  it('calls what replaces a method in its place, and tells of it too', async () => {
    const { counter, told } = observed({ add: async () => 42 })
    expect(await counter.add(1)).toBe(42)
    expect(told).toEqual([['add', false]])
  })
})
