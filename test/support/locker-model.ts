import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { LockScope, UploadLock } from '../../src/locks/locker.ts'
import { append, chunk, FOREVER_MS, type LockerFixture, whole } from './locker-suite.ts'

/** One step of a random story about the locks of one upload. `who` picks among those it may happen to. */
export type LockStep =
  | { readonly type: 'acquire'; readonly scope: LockScope; readonly ask: boolean; readonly wait: boolean }
  | { readonly type: 'move'; readonly number: number; readonly keep: boolean }
  | { readonly type: 'giveBack'; readonly number: number }
  | { readonly type: 'release' | 'abort'; readonly who: number }

const scopes = fc.oneof(fc.constant(append), fc.constant(whole), fc.nat(2).map(chunk))

/** Random stories. */
export const lockSteps: fc.Arbitrary<LockStep[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('acquire' as const),
        scope: scopes,
        ask: fc.boolean(),
        wait: fc.nat(3).map((n) => n < 3),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant('move' as const), number: fc.nat(2), keep: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('giveBack' as const), number: fc.nat(2) }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('release' as const), who: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('abort' as const), who: fc.nat() }) },
  ),
  { minLength: 5, maxLength: 60, size: 'max' },
)

/** What the model knows of one request for a lock, or for an append's next chunk. */
interface Wish {
  readonly scope: LockScope
  readonly chunk: number | null
  /** The append that wants to move. */
  readonly mover: Party | null
  readonly ask: boolean
  readonly leaving: AbortController
  outcome: 'waiting' | 'granted' | 'refused'
}

/** What the model knows of one holder. */
interface Party {
  readonly scope: LockScope
  readonly chunks: Set<number>
  lock: UploadLock | null
  asked: number
}

/**
 * Tells one story to a locker. After every step it checks the rules, written here once more and in other words: those
 * who hold are compatible; nobody was overtaken by one he conflicts with; nobody waits without a reason; those whom
 * somebody asks have been asked, once. At the end everybody lets go, and everybody must have been served.
 */
export async function playLockStory({ locker, settle }: LockerFixture, steps: readonly LockStep[]): Promise<void> {
  const id = randomUUID()
  const held = new Set<Party>()
  // In the order they came, with those that were granted or gave up taken out.
  let line: Wish[] = []
  const faults: string[] = []

  function enter(wish: Wish, promise: Promise<unknown>, party: Party): void {
    line.push(wish)
    promise.then(
      (lock) => {
        wish.outcome = 'granted'
        if (wish.mover === null) party.lock = lock as UploadLock
        if (wish.chunk !== null) party.chunks.add(wish.chunk)
        for (const other of held) if (other !== party && clash(other, wish)) faults.push('granted against a holder')
        held.add(party)
        const overtaken = line.slice(0, line.indexOf(wish)).some((earlier) => mayNotPass(wish, earlier, line))
        if (overtaken) faults.push('granted before an earlier one')
        line = line.filter((other) => other !== wish)
      },
      () => {
        wish.outcome = 'refused'
        line = line.filter((other) => other !== wish)
      },
    )
  }

  async function letGo(party: Party): Promise<void> {
    held.delete(party)
    line = line.filter((wish) => wish.mover !== party)
    await party.lock?.release()
    await settle()
  }

  for (const step of steps) {
    if (step.type === 'acquire') {
      const { scope, ask } = step
      const leaving = new AbortController()
      const party: Party = { scope, chunks: new Set(), lock: null, asked: 0 }
      const wanted = scope.kind === 'chunk' ? scope.number : null
      const promise = locker.acquire(id, {
        scope,
        ask,
        waitMs: step.wait ? FOREVER_MS : 0,
        signal: leaving.signal,
        onAsked: () => void (party.asked += 1),
      })
      enter({ scope, chunk: wanted, mover: null, ask, leaving, outcome: 'waiting' }, promise, party)
    } else if (step.type === 'move') {
      const mover = [...held].find(({ scope }) => scope.kind === 'append')
      if (mover?.lock && !mover.chunks.has(step.number) && !line.some((wish) => wish.mover !== null)) {
        const leaving = new AbortController()
        const { number, keep } = step
        if (!keep) mover.chunks.clear()
        const promise = mover.lock.moveTo(number, { waitMs: FOREVER_MS, signal: leaving.signal, keep })
        enter({ scope: append, chunk: step.number, mover, ask: false, leaving, outcome: 'waiting' }, promise, mover)
      }
    } else if (step.type === 'giveBack') {
      const holder = [...held].find(({ scope }) => scope.kind === 'append')
      holder?.chunks.delete(step.number)
      await holder?.lock?.giveBack(step.number)
    } else if (step.type === 'release') {
      const party = [...held][step.who % Math.max(1, held.size)]
      if (party !== undefined) await letGo(party)
    } else {
      const leaver = line[step.who % Math.max(1, line.length)]
      line = line.filter((wish) => wish !== leaver)
      leaver?.leaving.abort()
      await settle()
      if (leaver !== undefined) expect(leaver.outcome).toBe('refused')
    }
    await settle()
    expect(faults).toEqual([])
    for (const [i, wish] of line.entries()) {
      const reason = [...held].some((party) => party !== wish.mover && clash(party, wish))
      const behind = line.slice(0, i).some((earlier) => mayNotPass(wish, earlier, line))
      expect(reason || behind, 'whoever waits has somebody to wait for').toBe(true)
    }
    for (const party of held) {
      expect(party.lock?.held).toBe(true)
      expect(party.asked).toBeLessThanOrEqual(1)
      if (line.some((wish) => wish.ask && clash(party, wish))) expect(party.asked, 'asked').toBe(1)
    }
  }

  while (held.size > 0) for (const party of held) await letGo(party)
  expect(line, 'nobody is left waiting').toEqual([])
  const last = await locker.acquire(id, { scope: whole, waitMs: 0 })
  await last.release()
}

/** Whether one who holds and one who wishes cannot both hold. */
function clash(party: Party, wish: Wish): boolean {
  if (wish.mover !== null) return party.chunks.has(wish.chunk ?? -1)
  switch (wish.scope.kind) {
    case 'whole':
      return true
    case 'append':
      return party.scope.kind !== 'chunk'
    case 'chunk':
      return party.scope.kind === 'whole' || party.chunks.has(wish.chunk ?? -1)
  }
}

/** Whether a wish has to stay behind an earlier one that still waits. */
function mayNotPass(wish: Wish, earlier: Wish, line: readonly Wish[]): boolean {
  const sameChunk = wish.chunk !== null && wish.chunk === earlier.chunk
  if (wish.mover !== null) {
    // An append passes by a whole, and by those whom a whole keeps waiting: they wait for this append.
    const behindWhole = line.slice(0, line.indexOf(earlier)).some(({ scope }) => scope.kind === 'whole')
    return sameChunk && !behindWhole
  }
  if (earlier.mover !== null) return sameChunk || wish.scope.kind !== 'chunk'
  if (earlier.scope.kind === 'whole' || wish.scope.kind === 'whole') return true
  return sameChunk || (earlier.scope.kind === 'append' && wish.scope.kind === 'append')
}
