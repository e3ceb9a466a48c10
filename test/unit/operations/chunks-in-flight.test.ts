import { describe, expect, it } from 'vitest'
import { ChunksInFlight } from '../../../src/operations/chunks-in-flight.ts'

interface Storing {
  readonly stored: Promise<void>
  readonly succeed: () => void
  readonly fail: (error: Error) => void
}

function storing(): Storing {
  let succeed = (): void => {}
  let fail: (error: Error) => void = () => {}
  const stored = new Promise<void>((resolve, reject) => {
    succeed = resolve
    fail = reject
  })
  return { stored, succeed, fail }
}

const PENDING = Symbol('pending')

/** Whether a promise has settled by the time everything that waits for nothing has run. */
async function isSettled(work: Promise<unknown>): Promise<boolean> {
  const pending = new Promise((resolve) => setImmediate(() => resolve(PENDING)))
  return (await Promise.race([work.catch(() => {}), pending])) !== PENDING
}

describe('chunks in flight', () => {
  it('make room when one of them is stored, whichever it is', async () => {
    const inFlight = new ChunksInFlight(2)
    const [first, second] = [storing(), storing()]
    inFlight.add(() => first.stored)
    await inFlight.room()
    inFlight.add(() => second.stored)
    const room = inFlight.room()
    expect(await isSettled(room)).toBe(false)
    second.succeed()
    await room
    expect(inFlight.size).toBe(1)
    first.succeed()
    await inFlight.stored()
    expect(inFlight.size).toBe(0)
  })

  it('tell what went wrong to whoever waits for room', async () => {
    const inFlight = new ChunksInFlight(1)
    const failing = storing()
    inFlight.add(() => failing.stored)
    const room = inFlight.room()
    failing.fail(new Error('the disk is gone'))
    await expect(room).rejects.toThrow('the disk is gone')
    await expect(inFlight.room()).rejects.toThrow('the disk is gone')
  })

  it('tell what went wrong first, when nothing is under way any more', async () => {
    const inFlight = new ChunksInFlight(3)
    const [slow, first, second] = [storing(), storing(), storing()]
    for (const { stored } of [slow, first, second]) inFlight.add(() => stored)
    const stored = inFlight.stored()
    first.fail(new Error('first'))
    second.fail(new Error('second'))
    expect(await isSettled(stored)).toBe(false)
    slow.succeed()
    await expect(stored).rejects.toThrow('first')
  })

  it('settle without an error, so that a lock can be given back', async () => {
    const inFlight = new ChunksInFlight(1)
    const failing = storing()
    inFlight.add(() => failing.stored)
    failing.fail(new Error('the disk is gone'))
    await inFlight.settled()
    expect(inFlight.size).toBe(0)
  })

  it('are told the outcome of the one before', async () => {
    const inFlight = new ChunksInFlight(3)
    const failing = storing()
    const outcomes: string[] = []
    const told = async (before: Promise<void>): Promise<void> => {
      outcomes.push(
        await before.then(
          () => 'stored',
          (error: Error) => error.message,
        ),
      )
      throw new Error('none behind it')
    }
    inFlight.add(async (before) => {
      outcomes.push(await before.then(() => 'nothing before'))
      await failing.stored
    })
    inFlight.add(told)
    inFlight.add(told)
    failing.fail(new Error('the disk is gone'))
    await expect(inFlight.stored()).rejects.toThrow('the disk is gone')
    expect(outcomes).toEqual(['nothing before', 'the disk is gone', 'none behind it'])
  })
})
