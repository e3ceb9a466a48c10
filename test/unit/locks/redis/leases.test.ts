import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Leases } from '../../../../src/locks/redis/leases.ts'
import { type LockScripts, readStanding, type Standing } from '../../../../src/locks/redis/lock-scripts.ts'
import { Party, type PartyHost } from '../../../../src/locks/redis/party.ts'
import { append, chunk, FOREVER_MS } from '../../../support/locker-suite.ts'

const LEASE_MS = 9000
const HOLDS = readStanding([2, 0, LEASE_MS])

describe('Leases', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  const renew = vi.fn<(key: string, leaseMs: number, tokens: readonly string[]) => Promise<readonly Standing[]>>()
  const lost = vi.fn<(party: Party) => void>()
  let leases: Leases
  let host: PartyHost

  beforeEach(() => {
    renew.mockReset()
    lost.mockReset().mockImplementation((party) => leases.delete(party))
    renew.mockImplementation(async (_key, _leaseMs, tokens) => tokens.map(() => HOLDS))
    leases = new Leases({ scripts: { renew } as unknown as LockScripts, leaseMs: LEASE_MS, commandTimeoutMs: 1000 })
    host = {
      leaseMs: LEASE_MS,
      isReachable: () => true,
      enterAgain: vi.fn(),
      plan: (party) => leases.plan(party),
      lost,
    }
  })

  function hold(key: string, scope = append): Party {
    const party = new Party(host, key, key, { scope, waitMs: FOREVER_MS })
    party.sentAt(performance.now())
    leases.add(party)
    party.heard(HOLDS, performance.now())
    return party
  }

  it('renews all locks together, in one command for each upload, three times in a lease', async () => {
    const parties = [hold('a'), hold('a', chunk(1))]
    await vi.advanceTimersByTimeAsync(100)
    parties.push(hold('b'))
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(2899)
    expect(renew).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(renew.mock.calls).toEqual([
      ['a', LEASE_MS, [parties[0]?.token, parties[1]?.token]],
      ['b', LEASE_MS, [parties[2]?.token]],
    ])
    await vi.advanceTimersByTimeAsync(27_000)
    expect(renew).toHaveBeenCalledTimes(2 * 10)
    expect(parties.map(({ held }) => held)).toEqual([true, true, true])
  })

  it('tries again soon where a renewal failed, and loses the lock when its time is over', async () => {
    const party = hold('a')
    renew.mockRejectedValue(new Error('READONLY'))
    await vi.advanceTimersByTimeAsync(4000)
    expect(renew).toHaveBeenCalledTimes(2)
    renew.mockResolvedValueOnce([HOLDS])
    await vi.advanceTimersByTimeAsync(1000)
    await vi.advanceTimersByTimeAsync(7000)
    expect(party.held).toBe(true)
    await vi.advanceTimersByTimeAsync(2000)
    expect(party.held).toBe(false)
    expect(lost).toHaveBeenCalledOnce()
    expect(leases.size).toBe(0)
  })

  it('does not pile up commands that are not answered, and loses the lock in time', async () => {
    const party = hold('a')
    renew.mockReturnValue(new Promise(() => {}))
    await vi.advanceTimersByTimeAsync(3500)
    expect(renew).toHaveBeenCalledOnce()
    await vi.advanceTimersByTimeAsync(5499)
    expect(party.held).toBe(true)
    await vi.advanceTimersByTimeAsync(1)
    expect(lost).toHaveBeenCalledOnce()
  })

  it('has no timer where nobody holds or waits, nor when it is closed', () => {
    const party = hold('a')
    expect(vi.getTimerCount()).toBe(1)
    leases.delete(party)
    expect(vi.getTimerCount()).toBe(0)
    hold('b')
    leases.close(new Error('closed'))
    expect(vi.getTimerCount()).toBe(0)
  })
})
