import { type Locker, MemoryLocker as UpstreamMemoryLocker } from '@tus/server'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { isUploadError } from '../../../src/errors.ts'
import type { LockRequest, UploadLock } from '../../../src/locks/locker.ts'
import { MemoryLocker } from '../../../src/locks/memory-locker.ts'
import { lockSteps, playLockStory } from '../../support/locker-model.ts'
import { append, chunk, describeLocker, FOREVER_MS, whole } from '../../support/locker-suite.ts'
import { describeTusLocker } from '../../support/tus-locker-suite.ts'

/** A turn of the event loop: every microtask has run by then. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describeLocker('MemoryLocker', () => ({ locker: new MemoryLocker(), settle }))
describeTusLocker('MemoryLocker', () => ({ locker: new MemoryLocker() }))

// When one of these begins to pass, upstream has been mended, and this list says so.
describeTusLocker("@tus/server's MemoryLocker", () => ({ locker: new UpstreamMemoryLocker() }), {
  fails: [
    'refuses one whose signal has aborted before',
    'asks a holder once, however long the other waits',
    'frees nothing when one that never got the lock unlocks',
    'leaves the event loop idle while one waits',
  ],
})

const patient = (request: Omit<LockRequest, 'waitMs'>): LockRequest => ({ waitMs: FOREVER_MS, ...request })

/** Milliseconds of CPU this process takes while nothing happens for `ms`. */
async function cpuMsOfIdling(ms: number): Promise<number> {
  const before = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, ms))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

describe('MemoryLocker', () => {
  it('keeps the rules in every story of acquiring, moving, releasing and giving up', async () => {
    await fc.assert(
      fc.asyncProperty(lockSteps, async (steps) => {
        const locker = new MemoryLocker()
        await playLockStory({ locker, settle }, steps)
        expect(locker.size).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  it('keeps nothing of an upload when nobody holds or waits any more', async () => {
    const locker = new MemoryLocker()
    const leaving = new AbortController()
    const lock = await locker.acquire('a', patient({ scope: append }))
    await lock.moveTo(0, { waitMs: 0 })
    const refused = [
      locker.acquire('a', { scope: append, waitMs: 0 }),
      locker.acquire('a', { scope: whole, waitMs: 5 }),
      locker.acquire('a', patient({ scope: chunk(0), signal: leaving.signal })),
      locker.acquire('b', patient({ scope: whole, signal: AbortSignal.abort() })),
    ]
    leaving.abort()
    const outcomes = await Promise.allSettled(refused)
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
    expect(locker.size).toBe(1)
    await lock.release()
    expect(locker.size).toBe(0)
  })

  it('lets go of timer and signal as soon as the wait is settled', async () => {
    const locker = new MemoryLocker()
    const { signal } = new AbortController()
    const [listen, unlisten] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')]
    const timers = () => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
    const before = timers()
    const first = await locker.acquire('a', patient({ scope: whole, signal }))
    const second = locker.acquire('a', patient({ scope: whole, signal }))
    expect(timers()).toBe(before + 1)
    await first.release()
    await (await second).release()
    expect(timers()).toBe(before)
    expect(unlisten.mock.calls).toContainEqual(listen.mock.calls[0]?.slice(0, 2))
  })

  it('grants as soon as the lock is given back, without waiting for a turn of the event loop', async () => {
    const locker = new MemoryLocker()
    const holder = await locker.acquire('a', patient({ scope: whole }))
    const turn = vi.fn()
    const waiting = locker.acquire('a', patient({ scope: whole })).then(() => turn.mock.calls.length)
    await settle()
    setImmediate(turn)
    await holder.release()
    expect(await waiting).toBe(0)
  })

  it('takes a wait longer than a timer can count', async () => {
    const locker = new MemoryLocker()
    const holder = await locker.acquire('a', patient({ scope: whole }))
    const leaving = new AbortController()
    const outcome = vi.fn()
    const waiting = locker.acquire('a', { scope: whole, waitMs: Number.POSITIVE_INFINITY, signal: leaving.signal })
    waiting.then(outcome, outcome)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(outcome).not.toHaveBeenCalled()
    await holder.release()
    await (await waiting).release()
  })

  it('takes no CPU while thousands wait, and serves them all in order', async () => {
    const locker = new MemoryLocker()
    const holder = await locker.acquire('a', patient({ scope: append }))
    const served: number[] = []
    const all = Array.from({ length: 3000 }, async (_, i) => {
      const lock = await locker.acquire('a', patient({ scope: i % 3 === 0 ? whole : append, ask: true }))
      served.push(i)
      await lock.release()
    })
    await settle()
    expect(await cpuMsOfIdling(200)).toBeLessThan(100)
    await holder.release()
    await Promise.all(all)
    expect(served).toEqual(Array.from({ length: 3000 }, (_, i) => i))
    expect(locker.size).toBe(0)
  })

  it("takes a small part of the CPU that upstream's takes while one waits", async () => {
    const cpuMsOfWaiting = async (locker: Locker) => {
      const { signal } = new AbortController()
      const holder = locker.newLock('a')
      await holder.lock(signal, () => {})
      const waiting = locker.newLock('a').lock(signal, () => {})
      const cpuMs = await cpuMsOfIdling(300)
      await holder.unlock()
      await waiting
      return cpuMs
    }
    // One against the other, since a busy machine gives neither of them a whole core.
    const ours = await cpuMsOfWaiting(new MemoryLocker())
    expect(await cpuMsOfWaiting(new UpstreamMemoryLocker())).toBeGreaterThan(4 * Math.min(ours, 10))
  })

  it('hands a lock over before it asks for it back', async () => {
    const locker = new MemoryLocker()
    const order: string[] = []
    const first = await locker.acquire('a', patient({ scope: append }))
    const second = locker
      .acquire('a', patient({ scope: append, onAsked: () => order.push('asked') }))
      .then(() => order.push('granted'))
    void locker.acquire('a', patient({ scope: append, ask: true }))
    await first.release()
    await second
    await settle()
    expect(order).toEqual(['granted', 'asked'])
  })

  it('does not ask one who has let go meanwhile', async () => {
    const locker = new MemoryLocker()
    const onAsked = vi.fn()
    const lock = await locker.acquire('a', patient({ scope: append, onAsked }))
    const next = locker.acquire('a', patient({ scope: append, ask: true }))
    void lock.release()
    await next
    expect(onAsked).not.toHaveBeenCalled()
  })

  it('takes a second moveTo while the first waits for a mistake', async () => {
    const locker = new MemoryLocker()
    const lock = await locker.acquire('a', patient({ scope: append }))
    const writer = await locker.acquire('a', patient({ scope: chunk(1) }))
    const moving = lock.moveTo(1, { waitMs: FOREVER_MS })
    await expect(lock.moveTo(2, { waitMs: 0 })).rejects.toThrow(/waits for a chunk already/)
    await writer.release()
    await moving
  })

  it('says why it refused one whose signal aborted, for the log', async () => {
    const reason = new Error('the client has gone')
    const refused = new MemoryLocker().acquire('a', patient({ scope: whole, signal: AbortSignal.abort(reason) }))
    await expect(refused).rejects.toSatisfy((error) => isUploadError(error) && error.cause === reason)
  })

  describe('holds', () => {
    it('knows a live lock of that upload by its token', async () => {
      const locker = new MemoryLocker()
      const lock = await locker.acquire('a', patient({ scope: append }))
      const other = await locker.acquire('b', patient({ scope: append }))
      const forged: UploadLock = { ...lock, token: 'forged', scope: append, held: true, release: async () => {} }
      expect(locker.holds('a', lock)).toBe(true)
      expect(locker.holds('a', other)).toBe(false)
      expect(locker.holds('b', lock)).toBe(false)
      expect(locker.holds('a', forged)).toBe(false)
      expect(locker.holds('c', lock)).toBe(false)
      await lock.moveTo(3, { waitMs: 0 })
      expect(locker.holds('a', lock)).toBe(true)
      await lock.release()
      expect(locker.holds('a', lock)).toBe(false)
    })

    it('does not know one that still waits', async () => {
      const locker = new MemoryLocker()
      const holder = await locker.acquire('a', patient({ scope: append }))
      const waiting = locker.acquire('a', patient({ scope: append }))
      await holder.release()
      expect(locker.holds('a', holder)).toBe(false)
      expect(locker.holds('a', await waiting)).toBe(true)
    })
  })

  describe('newLock', () => {
    it('waits as long as the option says, and is refused with UPLOAD_LOCKED', async () => {
      const locker = new MemoryLocker({ waitMs: 5 })
      const { signal } = new AbortController()
      const holder = locker.newLock('a')
      await holder.lock(signal, () => {})
      await expect(locker.newLock('a').lock(signal, () => {})).rejects.toMatchObject({ status_code: 423 })
      await holder.unlock()
      expect(locker.size).toBe(0)
    })

    it('survives a holder that fails when it is asked', async () => {
      const locker = new MemoryLocker()
      const { signal } = new AbortController()
      const holder = locker.newLock('a')
      await holder.lock(signal, () => Promise.reject(new Error('deaf')))
      const waiting = locker.newLock('a').lock(signal, () => {})
      await settle()
      await holder.unlock()
      await waiting
    })

    it('excludes the chunk writers of the core', async () => {
      const locker = new MemoryLocker()
      await locker.newLock('a').lock(new AbortController().signal, () => {})
      await expect(locker.acquire('a', { scope: chunk(0), waitMs: 0 })).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
    })
  })
})
