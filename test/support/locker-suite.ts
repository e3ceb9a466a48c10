import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LockRequest, LockScope, UploadLock, UploadLocker } from '../../src/locks/locker.ts'

/** A locker under test. */
export interface LockerFixture {
  readonly locker: UploadLocker
  /** Resolves when everything that can be granted, asked or refused by now has been. */
  readonly settle: () => Promise<void>
  close?(): Promise<void>
}

/** A lock that was asked for, and how that stands. */
interface Attempt {
  readonly promise: Promise<UploadLock>
  readonly lock: UploadLock | null
  readonly outcome: 'waiting' | 'granted' | 'refused'
}

export const append: LockScope = { kind: 'append' }
export const whole: LockScope = { kind: 'whole' }
export const chunk = (number: number): LockScope => ({ kind: 'chunk', number })

/** Long enough that a test which depends on it fails by its own timeout. */
export const FOREVER_MS = 60_000

const LOCKED = { code: 'UPLOAD_LOCKED' }

/** Follows a promise without waiting for it. */
function follow(promise: Promise<UploadLock>): Attempt {
  const attempt: { -readonly [K in keyof Attempt]: Attempt[K] } = { promise, lock: null, outcome: 'waiting' }
  promise.then(
    (lock) => Object.assign(attempt, { lock, outcome: 'granted' }),
    () => Object.assign(attempt, { outcome: 'refused' }),
  )
  return attempt
}

const show = (scope: LockScope) => (scope.kind === 'chunk' ? `chunk ${scope.number}` : scope.kind)

/** What every {@link UploadLocker} does, whatever it is built on. */
export function describeLocker(name: string, make: () => LockerFixture | Promise<LockerFixture>): void {
  describe(`${name} as an UploadLocker`, () => {
    let fixture: LockerFixture
    let id: string
    let attempts: Attempt[]

    beforeEach(async () => {
      fixture = await make()
      id = randomUUID()
      attempts = []
    })

    afterEach(async () => {
      while (attempts.some(({ outcome }) => outcome === 'waiting')) {
        for (const { lock } of attempts) await lock?.release()
        await fixture.settle()
      }
      for (const { lock } of attempts) await lock?.release()
      await fixture.close?.()
    })

    /** Asks for a lock and lets things settle, so that attempts arrive in the order they are written in. */
    async function attempt(scope: LockScope, options: Partial<LockRequest> = {}, on = id): Promise<Attempt> {
      const followed = follow(fixture.locker.acquire(on, { scope, waitMs: FOREVER_MS, ...options }))
      attempts.push(followed)
      await fixture.settle()
      return followed
    }

    async function hold(scope: LockScope, options: Partial<LockRequest> = {}): Promise<UploadLock> {
      return (await attempt(scope, options)).promise
    }

    async function isFree(scope: LockScope): Promise<boolean> {
      const { outcome, lock } = await attempt(scope, { waitMs: 0 })
      await lock?.release()
      return outcome === 'granted'
    }

    /** Moves an append and follows how that goes. */
    async function move(lock: UploadLock, number: number, waitMs = FOREVER_MS, signal?: AbortSignal): Promise<Attempt> {
      const moved = lock.moveTo(number, { waitMs, ...(signal && { signal }) }).then(() => lock)
      const followed = follow(moved)
      await fixture.settle()
      return followed
    }

    describe('what excludes what', () => {
      it.each([
        [append, append],
        [append, whole],
        [chunk(1), chunk(1)],
        [chunk(1), whole],
        [whole, append],
        [whole, chunk(1)],
        [whole, whole],
      ])('refuses what would have the same bytes: beside %o, %o', async (held, wanted) => {
        await hold(held)
        await expect((await attempt(wanted, { waitMs: 0 })).promise).rejects.toMatchObject(LOCKED)
      })

      it.each([
        [append, chunk(0)],
        [chunk(0), append],
        [chunk(1), chunk(2)],
      ])('grants what has different bytes: beside %o, %o', async (held, wanted) => {
        await hold(held)
        expect((await attempt(wanted, { waitMs: 0 })).outcome).toBe('granted')
      })

      it('does not let one upload wait for another', async () => {
        await hold(whole)
        expect((await attempt(whole, { waitMs: 0 }, randomUUID())).outcome).toBe('granted')
      })

      it('gives every lock a token of its own', async () => {
        const [first, second] = [await hold(chunk(1)), await hold(chunk(2))]
        expect(first.token).toMatch(/^[0-9a-f-]{36}$/)
        expect(second.token).not.toBe(first.token)
      })

      it('tells of a lock its scope and whether it is held', async () => {
        const lock = await hold(chunk(7))
        expect(lock.scope).toEqual(chunk(7))
        expect(lock.held).toBe(true)
        await lock.release()
        expect(lock.held).toBe(false)
      })
    })

    describe('waiting', () => {
      it.each([append, chunk(3), whole])(
        'grants a waiting $kind when the one in its way is released',
        async (scope) => {
          const holder = await hold(whole)
          const waiting = await attempt(scope)
          expect(waiting.outcome).toBe('waiting')
          await holder.release()
          expect((await waiting.promise).held).toBe(true)
        },
      )

      it.each([append, chunk(3), whole])('serves those who wait for $kind in the order they came', async (scope) => {
        const holder = await hold(scope)
        const first = await attempt(scope)
        const second = await attempt(scope)
        await holder.release()
        await (await first.promise).release()
        await second.promise
        await (await second.promise).release()

        const third = await hold(scope)
        const [fourth, fifth] = [await attempt(scope), await attempt(scope)]
        await third.release()
        await fourth.promise
        await fixture.settle()
        expect(fifth.outcome).toBe('waiting')
      })

      it('lets newcomers queue behind a waiting whole, also where the holders would not mind them', async () => {
        const holder = await hold(chunk(1))
        const waitingWhole = await attempt(whole)
        const newcomers = [await attempt(chunk(2)), await attempt(append)]
        expect(newcomers.map(({ outcome }) => outcome)).toEqual(['waiting', 'waiting'])
        expect(await isFree(chunk(3))).toBe(false)

        await holder.release()
        const lock = await waitingWhole.promise
        await fixture.settle()
        expect(newcomers.map(({ outcome }) => outcome)).toEqual(['waiting', 'waiting'])
        await lock.release()
        await Promise.all(newcomers.map(({ promise }) => promise))
      })

      it('lets a request pass others that do not concern it', async () => {
        await hold(append)
        await hold(chunk(2))
        await attempt(chunk(2))
        await attempt(append)
        expect((await attempt(chunk(3), { waitMs: 0 })).outcome).toBe('granted')
      })

      it('grants the whole only when the last holder has gone', async () => {
        const holders = [await hold(append), await hold(chunk(1)), await hold(chunk(2))]
        const waiting = await attempt(whole)
        for (const holder of holders) {
          await fixture.settle()
          expect(waiting.outcome).toBe('waiting')
          await holder.release()
        }
        await waiting.promise
      })

      it('refuses when the time is over', async () => {
        await hold(whole)
        await expect((await attempt(append, { waitMs: 20 })).promise).rejects.toMatchObject(LOCKED)
      })

      it('refuses when the signal aborts', async () => {
        await hold(whole)
        const leaving = new AbortController()
        const waiting = await attempt(append, { signal: leaving.signal })
        leaving.abort()
        await expect(waiting.promise).rejects.toMatchObject(LOCKED)
      })

      it('refuses a request whose signal has aborted, also when the lock is free', async () => {
        const aborted = await attempt(whole, { signal: AbortSignal.abort() })
        await expect(aborted.promise).rejects.toMatchObject(LOCKED)
        expect(await isFree(whole)).toBe(true)
      })

      it('keeps a lock whose signal aborts after it was granted', async () => {
        const leaving = new AbortController()
        const lock = await hold(whole, { signal: leaving.signal })
        leaving.abort()
        await fixture.settle()
        expect(lock.held).toBe(true)
        expect(await isFree(append)).toBe(false)
      })

      it('wakes those who waited behind one that gave up', async () => {
        await hold(chunk(1))
        const leaving = new AbortController()
        const impatient = await attempt(whole, { signal: leaving.signal })
        const behind = await attempt(append)
        expect(behind.outcome).toBe('waiting')
        leaving.abort()
        await behind.promise
        await expect(impatient.promise).rejects.toMatchObject(LOCKED)
      })

      it('wakes those who waited behind one whose time is over', async () => {
        await hold(chunk(1))
        const impatient = await attempt(whole, { waitMs: 50 })
        const behind = await attempt(append)
        await behind.promise
        await expect(impatient.promise).rejects.toMatchObject(LOCKED)
      })

      it('never grants to one that gave up', async () => {
        const holder = await hold(whole)
        const leaving = new AbortController()
        await attempt(whole, { signal: leaving.signal })
        leaving.abort()
        await holder.release()
        await fixture.settle()
        expect(await isFree(whole)).toBe(true)
      })
    })

    describe('release', () => {
      it('does nothing the second time, also when somebody else holds the lock by then', async () => {
        const first = await hold(append)
        await first.release()
        const second = await hold(append)
        await first.release()
        await fixture.settle()
        expect(second.held).toBe(true)
        expect(await isFree(append)).toBe(false)
      })

      it('gives back the chunk an append has moved to', async () => {
        const lock = await hold(append)
        await lock.moveTo(4, { waitMs: 0 })
        await lock.release()
        expect(await isFree(chunk(4))).toBe(true)
      })
    })

    describe('moveTo', () => {
      it('takes the chunk, and gives back the one before', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        expect(await isFree(chunk(0))).toBe(false)
        await lock.moveTo(1, { waitMs: 0 })
        expect(await isFree(chunk(0))).toBe(true)
        expect(await isFree(chunk(1))).toBe(false)
        expect(await isFree(chunk(2))).toBe(true)
      })

      it('keeps the chunks before where it is told to, until it gives them back', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        await lock.moveTo(1, { waitMs: 0, keep: true })
        await lock.moveTo(2, { waitMs: 0, keep: true })
        for (const number of [0, 1, 2]) expect(await isFree(chunk(number))).toBe(false)
        await lock.giveBack(1)
        expect(await isFree(chunk(1))).toBe(true)
        for (const number of [0, 2]) expect(await isFree(chunk(number))).toBe(false)
        await lock.moveTo(3, { waitMs: 0 })
        for (const number of [0, 2]) expect(await isFree(chunk(number))).toBe(true)
        expect(await isFree(chunk(3))).toBe(false)
      })

      it('gives back the others when it goes to one of the chunks it kept', async () => {
        const lock = await hold(append)
        for (const number of [0, 1, 2]) await lock.moveTo(number, { waitMs: 0, keep: true })
        await lock.moveTo(1, { waitMs: 0 })
        expect(await isFree(chunk(0))).toBe(true)
        expect(await isFree(chunk(1))).toBe(false)
        expect(await isFree(chunk(2))).toBe(true)
      })

      it('keeps the chunks before while it waits for the next, and when it is refused that', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        await hold(chunk(1))
        const leaving = new AbortController()
        const moving = follow(
          lock.moveTo(1, { waitMs: FOREVER_MS, keep: true, signal: leaving.signal }).then(() => lock),
        )
        await fixture.settle()
        expect(moving.outcome).toBe('waiting')
        expect(await isFree(chunk(0))).toBe(false)
        leaving.abort()
        await expect(moving.promise).rejects.toMatchObject(LOCKED)
        expect(await isFree(chunk(0))).toBe(false)
        await lock.release()
        expect(await isFree(chunk(0))).toBe(true)
      })

      it('may give back a chunk while it waits for the next', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        const writer = await hold(chunk(1))
        const moving = follow(lock.moveTo(1, { waitMs: FOREVER_MS, keep: true }).then(() => lock))
        await fixture.settle()
        const waitingForOld = await attempt(chunk(0))
        await lock.giveBack(0)
        await (await waitingForOld.promise).release()
        expect(moving.outcome).toBe('waiting')
        await writer.release()
        await moving.promise
        expect(await isFree(chunk(0))).toBe(true)
        expect(await isFree(chunk(1))).toBe(false)
      })

      it('does nothing when the append is there already', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        const waiting = await attempt(chunk(0))
        await lock.moveTo(0, { waitMs: 0 })
        expect(waiting.outcome).toBe('waiting')
      })

      it('keeps the token and goes on excluding other appends', async () => {
        const lock = await hold(append)
        const { token } = lock
        await lock.moveTo(5, { waitMs: 0 })
        expect(lock.token).toBe(token)
        expect(await isFree(append)).toBe(false)
      })

      it('waits for the writer of that chunk', async () => {
        const lock = await hold(append)
        const writer = await hold(chunk(1))
        const moving = await move(lock, 1)
        expect(moving.outcome).toBe('waiting')
        await writer.release()
        await moving.promise
        expect(await isFree(chunk(1))).toBe(false)
      })

      it('gives back the old chunk while it still waits for the new one', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        await hold(chunk(1))
        const waitingForOld = await attempt(chunk(0))
        await move(lock, 1)
        await waitingForOld.promise
      })

      it('waits in turn with others who want that chunk', async () => {
        const lock = await hold(append)
        const writer = await hold(chunk(1))
        const before = await attempt(chunk(1))
        const moving = await move(lock, 1)
        const after = await attempt(chunk(1))

        await writer.release()
        const second = await before.promise
        await fixture.settle()
        expect([moving.outcome, after.outcome]).toEqual(['waiting', 'waiting'])
        await second.release()
        await moving.promise
        await fixture.settle()
        expect(after.outcome).toBe('waiting')
        await lock.moveTo(2, { waitMs: 0 })
        await after.promise
      })

      it('passes by a waiting whole, which waits for this very append', async () => {
        const lock = await hold(append)
        const waiting = await attempt(whole)
        await lock.moveTo(0, { waitMs: 0 })
        await lock.moveTo(1, { waitMs: 0 })
        expect(waiting.outcome).toBe('waiting')
        await lock.release()
        await waiting.promise
      })

      it('passes by a chunk writer that is kept behind a waiting whole', async () => {
        const lock = await hold(append)
        const waitingWhole = await attempt(whole)
        const writer = await attempt(chunk(1))
        await lock.moveTo(1, { waitMs: 0 })
        await lock.release()
        await (await waitingWhole.promise).release()
        await writer.promise
      })

      it('wakes while a whole waits, when the writer of the chunk has gone', async () => {
        const lock = await hold(append)
        const writer = await hold(chunk(1))
        const waitingWhole = await attempt(whole)
        const moving = await move(lock, 1)
        await writer.release()
        await moving.promise
        expect(waitingWhole.outcome).toBe('waiting')
      })

      it('leaves the append held without a chunk when the time is over', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        const writer = await hold(chunk(1))
        await expect(lock.moveTo(1, { waitMs: 20 })).rejects.toMatchObject(LOCKED)
        expect(lock.held).toBe(true)
        expect(await isFree(append)).toBe(false)
        expect(await isFree(chunk(0))).toBe(true)
        await writer.release()
        expect(await isFree(chunk(1))).toBe(true)
        await lock.moveTo(1, { waitMs: 0 })
      })

      it('leaves the append held without a chunk when the signal aborts', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        await hold(chunk(1))
        const leaving = new AbortController()
        const moving = await move(lock, 1, FOREVER_MS, leaving.signal)
        leaving.abort()
        await expect(moving.promise).rejects.toMatchObject(LOCKED)
        await expect(lock.moveTo(2, { waitMs: 0, signal: AbortSignal.abort() })).rejects.toMatchObject(LOCKED)
        expect(lock.held).toBe(true)
        expect(await isFree(chunk(0))).toBe(true)
        expect(await isFree(chunk(2))).toBe(true)
      })

      it('gives back the old chunk also when its signal has aborted before', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        const waiting = await attempt(chunk(0))
        await expect(lock.moveTo(1, { waitMs: 0, signal: AbortSignal.abort() })).rejects.toMatchObject(LOCKED)
        await waiting.promise
      })

      it('answers at once when it may not wait', async () => {
        const lock = await hold(append)
        await hold(chunk(1))
        await expect(lock.moveTo(1, { waitMs: 0 })).rejects.toMatchObject(LOCKED)
      })

      it('is refused when the append is released meanwhile, or was before', async () => {
        const lock = await hold(append)
        await hold(chunk(1))
        const moving = await move(lock, 1)
        await lock.release()
        await expect(moving.promise).rejects.toMatchObject(LOCKED)
        await expect(lock.moveTo(2, { waitMs: 0 })).rejects.toMatchObject(LOCKED)
      })

      it.each([chunk(1), whole])('is a mistake on a lock of scope $kind', async (scope) => {
        const lock = await hold(scope)
        await expect(lock.moveTo(1, { waitMs: 0 })).rejects.toThrow(/Only an append moves/)
      })
    })

    describe('giveBack', () => {
      it('wakes the one who waits for the chunk', async () => {
        const lock = await hold(append)
        await lock.moveTo(0, { waitMs: 0 })
        const waiting = await attempt(chunk(0))
        await lock.giveBack(0)
        await waiting.promise
        expect(lock.held).toBe(true)
      })

      it('does nothing where the chunk is not held, also when somebody else holds it', async () => {
        const lock = await hold(append)
        await hold(chunk(0))
        await lock.giveBack(0)
        await lock.giveBack(7)
        expect(await isFree(chunk(0))).toBe(false)
        await lock.release()
        await lock.giveBack(0)
        expect(await isFree(chunk(0))).toBe(false)
      })
    })

    describe('losing', () => {
      it('is not what happens to a lock that is given back, moved or asked for', async () => {
        const onLost = vi.fn()
        const lock = await hold(append, { onLost, onAsked: () => {} })
        await lock.moveTo(0, { waitMs: 0 })
        await attempt(whole, { ask: true, onLost, waitMs: 0 })
        await lock.release()
        await (await attempt(whole, { onLost })).lock?.release()
        await fixture.settle()
        expect(onLost).not.toHaveBeenCalled()
      })
    })

    describe('asking', () => {
      it('asks every holder in the way, and no other', async () => {
        const asked = vi.fn<(who: string) => void>()
        for (const scope of [append, chunk(1), chunk(2)]) await hold(scope, { onAsked: () => asked(show(scope)) })
        await attempt(chunk(2), { ask: true })
        expect(asked.mock.calls.flat()).toEqual(['chunk 2'])
        await attempt(whole, { ask: true })
        expect(asked.mock.calls.flat().toSorted()).toEqual(['append', 'chunk 1', 'chunk 2'])
      })

      it('asks a holder once, however many want its lock', async () => {
        const onAsked = vi.fn()
        await hold(append, { onAsked })
        for (const scope of [append, whole, append]) await attempt(scope, { ask: true })
        expect(onAsked).toHaveBeenCalledOnce()
      })

      it('does not ask for one who did not say so', async () => {
        const onAsked = vi.fn()
        await hold(append, { onAsked })
        await attempt(whole)
        await attempt(append, { waitMs: 0 })
        expect(onAsked).not.toHaveBeenCalled()
      })

      it('asks also for one who does not wait', async () => {
        const onAsked = vi.fn()
        await hold(append, { onAsked })
        await attempt(append, { ask: true, waitMs: 0 })
        expect(onAsked).toHaveBeenCalledOnce()
      })

      it('asks a new holder when somebody who asks waits for it already', async () => {
        const first = await hold(append)
        const onAsked = vi.fn()
        const second = await attempt(append, { onAsked })
        await attempt(append, { ask: true })
        expect(onAsked).not.toHaveBeenCalled()
        await first.release()
        await second.promise
        await fixture.settle()
        expect(onAsked).toHaveBeenCalledOnce()
      })

      it('asks an append that moves to a chunk somebody who asks waits for', async () => {
        const onAsked = vi.fn()
        const lock = await hold(append, { onAsked })
        await attempt(whole)
        await attempt(chunk(1), { ask: true })
        expect(onAsked).not.toHaveBeenCalled()
        await lock.moveTo(1, { waitMs: 0 })
        await fixture.settle()
        expect(onAsked).toHaveBeenCalledOnce()
      })

      it('hands the lock on when the holder lets go because it was asked', async () => {
        const lock: UploadLock = await hold(append, { onAsked: () => void lock.release() })
        await (await attempt(append, { ask: true })).promise
      })

      it('lets a holder let go that is asked as soon as it holds', async () => {
        const first = await hold(append)
        const second = fixture.locker.acquire(id, {
          scope: append,
          waitMs: FOREVER_MS,
          onAsked: () => void second.then((lock) => lock.release()),
        })
        await fixture.settle()
        const third = await attempt(append, { ask: true })
        await first.release()
        await third.promise
      })

      it.each<[string, () => unknown]>([
        [
          'throws',
          () => {
            throw new Error('deaf')
          },
        ],
        ['rejects', () => Promise.reject(new Error('deaf'))],
      ])('goes on when a holder that is asked %s', async (_, fail) => {
        const lock = await hold(append, { onAsked: fail })
        const waiting = await attempt(append, { ask: true })
        expect(waiting.outcome).toBe('waiting')
        await lock.release()
        await waiting.promise
      })
    })
  })
}
