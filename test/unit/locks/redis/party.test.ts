import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LockRequest } from '../../../../src/locks/locker.ts'
import { readStanding } from '../../../../src/locks/redis/lock-scripts.ts'
import { Party } from '../../../../src/locks/redis/party.ts'
import { append, FOREVER_MS } from '../../../support/locker-suite.ts'

const LEASE_MS = 9000
const GONE = readStanding([0, 0, 0])
const WAITS = readStanding([1, 0, 4000])
const HOLDS = readStanding([2, 0, LEASE_MS])

describe('Party', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  function make(request: Partial<LockRequest> = {}, reachable = true) {
    const host = {
      leaseMs: LEASE_MS,
      isReachable: () => reachable,
      enterAgain: vi.fn(),
      plan: vi.fn(),
      lost: vi.fn(),
    }
    const party = new Party(host, 'id', 'key', { scope: append, waitMs: FOREVER_MS, ...request })
    party.turn?.over.catch(() => {})
    party.sentAt(performance.now())
    return { host, party }
  }

  it('is sure of its lease from before the command was sent, not from the answer', () => {
    const { party } = make()
    const sentAt = performance.now()
    vi.advanceTimersByTime(3000)
    party.heard(HOLDS, sentAt)
    expect(party.held).toBe(true)
    vi.advanceTimersByTime(5999)
    expect(party.held).toBe(true)
    vi.advanceTimersByTime(1)
    expect(party.held).toBe(false)
  })

  it('does not come back to life by an answer that is too late', () => {
    const { host, party } = make()
    party.heard(HOLDS, performance.now())
    const sentAt = performance.now() + 6000
    vi.advanceTimersByTime(LEASE_MS)
    party.heard(HOLDS, sentAt)
    expect(party.held).toBe(false)
    expect(host.lost).toHaveBeenCalledOnce()
    party.heard(GONE, sentAt)
    expect(host.lost).toHaveBeenCalledOnce()
  })

  it('does not believe a grant that it hears of when its lease may have ended, and looks', () => {
    const { party } = make()
    party.heard(WAITS, performance.now())
    vi.advanceTimersByTime(LEASE_MS)
    party.granted()
    expect(party.held).toBe(false)
    expect(party.dueAt).toBe(0)
  })

  it('does not take an answer from before a grant for the loss of it', () => {
    const { host, party } = make()
    const sentAt = performance.now()
    party.granted()
    party.heard(WAITS, sentAt)
    expect(party.held).toBe(true)
    expect(host.lost).not.toHaveBeenCalled()
  })

  it('enters again when it waits and Redis has forgotten it; not where it may not wait', () => {
    const patient = make()
    patient.party.heard(GONE, performance.now())
    expect(patient.host.enterAgain).toHaveBeenCalledOnce()
    const hasty = make({ waitMs: 0 })
    hasty.party.heard(GONE, performance.now())
    expect(hasty.host.enterAgain).not.toHaveBeenCalled()
    expect(hasty.party.isKnown).toBe(false)
  })

  it.each([
    ['soon after the first lease in its way ends', true, 4000],
    ['several times a second where no messages arrive', false, 250],
  ])('looks again %s', (_, reachable, afterMs) => {
    const { party } = make({}, reachable)
    party.heard({ ...WAITS, firstEndsInMs: 4000 }, performance.now() + 3000)
    expect(party.wakeAt - performance.now()).toBeGreaterThan(afterMs)
    expect(party.wakeAt - performance.now()).toBeLessThan(afterMs + 150)
  })

  it('never looks in a busy loop, however soon a lease ends', () => {
    const { party } = make()
    for (const firstEndsInMs of [0, 1]) {
      party.heard({ ...WAITS, firstEndsInMs }, performance.now())
      expect(party.wakeAt - performance.now()).toBeGreaterThanOrEqual(5)
    }
  })
})
