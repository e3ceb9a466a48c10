import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Closable, OpenJournals } from '../../../../src/storage/file/open-journals.ts'

function setUp() {
  const open = new OpenJournals()
  const closed: number[] = []
  const journal = (number: number): Closable => ({
    letGo: async () => {
      closed.push(number)
      open.closed(journals[number] ?? journal(number))
    },
  })
  const journals = Array.from({ length: 70 }, (_, number) => journal(number))
  return { open, closed, journals }
}

describe('journals that stay open', () => {
  it('are 64 at the most: the one that was written longest ago is closed for another', () => {
    const { open, closed, journals } = setUp()
    for (const journal of journals.slice(0, 64)) open.keep(journal)
    expect(closed).toEqual([])
    for (const journal of journals.slice(0, 1)) open.keep(journal)
    for (const journal of journals.slice(64, 66)) open.keep(journal)
    expect(closed).toEqual([1, 2])
  })

  it('are closed when nobody has written them for a moment', async () => {
    const { open, closed, journals } = setUp()
    for (const journal of journals.slice(0, 3)) open.keep(journal)
    await expect.poll(() => closed).toEqual([0, 1, 2])
  })

  it('are all closed at the end, but for those that are closed already', async () => {
    const { open, closed, journals } = setUp()
    for (const journal of journals.slice(0, 3)) open.keep(journal)
    for (const journal of journals.slice(1, 2)) open.closed(journal)
    await open.close()
    expect(closed).toEqual([0, 2])
  })

  it('leave no timer behind when all are closed', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { open, journals } = setUp()
    for (const journal of journals.slice(0, 3)) open.keep(journal)
    expect(vi.getTimerCount()).toBe(1)
    await open.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})
