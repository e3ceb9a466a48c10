import { performance } from 'node:perf_hooks'
import { randomUUID } from 'node:crypto'
import type { Locker } from '@tus/utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

/** A locker of @tus/server, ours or theirs. */
export interface TusLockerFixture {
  readonly locker: Locker
  /** Resolves when everything that can be granted or asked by now has been. @default after some turns of the event loop */
  readonly settle?: () => Promise<void>
  close?(): Promise<void>
}

/** Titles of {@link describeTusLocker} that can be expected to fail. */
export interface TusLockerExpectations {
  readonly fails?: readonly string[]
}

/** What @tus/server expects of a `Locker`; needs nothing but `newLock`, so that it runs on @tus/server's own. */
export function describeTusLocker(
  name: string,
  make: () => TusLockerFixture | Promise<TusLockerFixture>,
  { fails = [] }: TusLockerExpectations = {},
): void {
  describe(`${name} as a Locker of @tus/server`, () => {
    let fixture: TusLockerFixture
    let id: string
    let testOver: AbortController

    beforeEach(async () => {
      fixture = await make()
      id = randomUUID()
      testOver = new AbortController()
    })

    afterEach(async () => {
      testOver.abort()
      await fixture.close?.()
    })

    const settle = () => (fixture.settle ?? turns)()

    const behaves = (title: string, test: () => Promise<void>) => (fails.includes(title) ? it.fails : it)(title, test)

    const take = async (options: { signal?: AbortSignal; onAsked?: () => void; on?: string } = {}) => {
      const lock = fixture.locker.newLock(options.on ?? id)
      await lock.lock(options.signal ?? testOver.signal, options.onAsked ?? (() => {}))
      return lock
    }

    /** Asks for the lock, and resolves when the holder has been asked for it. */
    async function compete(signal?: AbortSignal) {
      const { promise: asked, resolve: onAsked } = gate()
      const holder = await take({ onAsked })
      const waiting = take(signal && { signal })
      waiting.catch(() => {})
      await asked
      return { holder, waiting }
    }

    behaves('makes the second wait until the first unlocks', async () => {
      const order: string[] = []
      const { holder, waiting } = await compete()
      const second = waiting.then(() => order.push('locked'))
      await settle()
      order.push('unlock')
      await holder.unlock()
      await second
      expect(order).toEqual(['unlock', 'locked'])
    })

    behaves('can be taken again after it was unlocked', async () => {
      for (let i = 0; i < 3; i += 1) await (await take()).unlock()
    })

    behaves('does not mix up two uploads', async () => {
      await take()
      await take({ on: randomUUID() })
    })

    behaves('refuses one whose signal aborts, and the holder keeps its lock', async () => {
      const leaving = new AbortController()
      const { holder, waiting } = await compete(leaving.signal)
      leaving.abort()
      await expect(waiting).rejects.toBeDefined()
      const next = take()
      let locked = false
      const done = next.then(() => {
        locked = true
      })
      await settle()
      expect(locked).toBe(false)
      await holder.unlock()
      await done
    })

    behaves('refuses one whose signal has aborted before', async () => {
      await expect(take({ signal: AbortSignal.abort() })).rejects.toBeDefined()
    })

    behaves('asks a holder once, however long the other waits', async () => {
      const onAsked = vi.fn()
      const holder = await take({ onAsked })
      const waiting = take()
      waiting.catch(() => {})
      await settle()
      expect(onAsked).toHaveBeenCalledOnce()
      await holder.unlock()
      await waiting
    })

    behaves('frees nothing when one that never got the lock unlocks', async () => {
      await take()
      const stranger = fixture.locker.newLock(id)
      await stranger.unlock().catch(() => {})
      await expect(take({ signal: AbortSignal.timeout(50) })).rejects.toBeDefined()
    })

    behaves('leaves the event loop idle while one waits', async () => {
      const { holder, waiting } = await compete()
      // Turns of the loop, not time: others may be using the processor.
      const before = loopTurns()
      await new Promise((resolve) => setTimeout(resolve, 100))
      const taken = loopTurns() - before
      await holder.unlock()
      await waiting
      expect(taken).toBeLessThan(100)
    })
  })
}

/** Turns of the event loop. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve))
}

function gate() {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((open) => {
    resolve = open
  })
  return { promise, resolve }
}

const loopTurns = (): number => performance.nodeTiming.uvMetricsInfo.loopCount
