import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryBudget } from '../../../src/body/memory-budget.ts'

const MIB = 1024 * 1024
const here = new AbortController().signal

describe('the memory budget', () => {
  it('gives every body the same share of it, within what helps', async () => {
    const budget = new MemoryBudget(64 * MIB)
    await budget.enter(here)
    expect(budget.share).toBe(8 * MIB)
    for (let n = 1; n < 64; n += 1) await budget.enter(here)
    expect(budget.share).toBe(MIB)
    for (let n = 64; n < 256; n += 1) await budget.enter(here)
    expect(budget.share).toBe(MIB / 4)
  })

  it('gives bodies together no more than helps them, and each of them a MiB', async () => {
    const budget = new MemoryBudget(256 * MIB)
    const shares: number[] = []
    for (let places = 1; places <= 256; places += 1) {
      await budget.enter(here)
      shares.push(budget.share / MIB)
    }
    expect([shares[0], shares[1], shares[3], shares[15], shares[255]]).toEqual([8, 8, 4, 1, 1])
  })

  it('lends what it can spare, and then gives everybody less of the rest', async () => {
    const budget = new MemoryBudget(4 * MIB)
    for (let n = 0; n < 2; n += 1) await budget.enter(here)
    expect(budget.lend(4 * MIB)).toBe(false)
    expect(budget.lend(3 * MIB)).toBe(true)
    expect(budget.share).toBe(MIB / 2)
    // Everybody keeps the least share.
    expect(budget.lend(MIB)).toBe(false)
    budget.giveBack(3 * MIB)
    expect(budget.share).toBe(2 * MIB)
  })

  it('lets in who has waited when what was lent comes back, and lends nothing before', async () => {
    const budget = new MemoryBudget(MIB)
    expect(budget.lend((3 * MIB) / 4)).toBe(true)
    await budget.enter(here)
    const order: string[] = []
    const waits = ['a', 'b'].map((name) => budget.enter(here).then(() => order.push(name)))
    expect([budget.waiting, budget.lend(1)]).toEqual([2, false])
    budget.giveBack((3 * MIB) / 4)
    await Promise.all(waits)
    expect([order, budget.places, budget.waiting]).toEqual([['a', 'b'], 3, 0])
  })

  it('lets newcomers wait in turn where one more would be too many', async () => {
    const budget = new MemoryBudget(MIB / 4)
    const order: string[] = []
    await budget.enter(here)
    const waits = ['a', 'b', 'c'].map((name) => budget.enter(here).then(() => order.push(name)))
    expect(budget.waiting).toBe(3)
    for (const wait of waits) {
      budget.leave()
      await wait
    }
    expect(order).toEqual(['a', 'b', 'c'])
    budget.leave()
    expect(budget.places).toBe(0)
  })

  it('has room for one body however small it is', async () => {
    const budget = new MemoryBudget(1)
    await budget.enter(here)
    expect(budget.places).toBe(1)
  })

  it('forgets who goes while it waits, and keeps the turn of those behind', async () => {
    const budget = new MemoryBudget(1)
    const leaves = new AbortController()
    await budget.enter(here)
    const gone = budget.enter(leaves.signal)
    const next = budget.enter(here)
    leaves.abort()
    await expect(gone).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
    budget.leave()
    await next
    expect([budget.places, budget.waiting]).toEqual([1, 0])
    await expect(budget.enter(leaves.signal)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
  })

  it('never gives out more than there is, whoever comes and goes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.boolean(), { maxLength: 60 }),
        async (room, story) => {
          const budget = new MemoryBudget((room * MIB) / 4)
          let inside = 0
          for (const comes of story) {
            if (comes) void budget.enter(here).then(() => (inside += 1))
            else if (inside > 0) {
              inside -= 1
              budget.leave()
            }
            await new Promise((resolve) => setImmediate(resolve))
            expect(inside).toBe(budget.places)
            expect(inside).toBeLessThanOrEqual(room)
            expect(budget.waiting === 0 || inside === room).toBe(true)
            expect(budget.share * inside).toBeLessThanOrEqual((room * MIB) / 4)
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
