import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PaceGuard, type PacedBody } from '../../../src/body/pace-guard.ts'

/** A body that brings as many bytes a second as it says, of the time in which it is waited for. */
class Sender implements PacedBody {
  rate: number
  /** The part of the time in which it is waited for. */
  waited = 1
  stalled = false
  #bytes = 0
  #waitedMs = 0

  constructor(rate: number) {
    this.rate = rate
  }

  get pace() {
    return { bytes: this.#bytes, waitedMs: this.#waitedMs }
  }

  pass(ms: number): void {
    this.#waitedMs += ms * this.waited
    this.#bytes += (ms * this.waited * this.rate) / 1000
  }

  stall(): void {
    this.stalled = true
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A guard that wants 100 bytes a second, over a second, of these. */
function guard(senders: Sender[], minBytesPerSecond = 100) {
  const shortage = { is: true }
  const paces = new PaceGuard({
    minBytesPerSecond,
    windowMs: 1000,
    holders: () => senders.filter(({ stalled }) => !stalled),
    isShort: () => shortage.is,
  })
  const pass = (ms: number): void => {
    for (let t = 0; t < ms; t += 50) {
      for (const sender of senders) sender.pass(50)
      vi.advanceTimersByTime(50)
    }
  }
  return { paces, shortage, pass }
}

describe('a pace guard', () => {
  it('ends a trickle while others wait, after a window, and leaves who is fast enough', () => {
    const [slow, fast] = [new Sender(99), new Sender(101)]
    const { paces, pass } = guard([slow, fast])
    paces.watch()
    pass(1000)
    expect(slow.stalled).toBe(false)
    pass(200)
    expect(slow.stalled).toBe(true)
    pass(10_000)
    expect(fast.stalled).toBe(false)
  })

  it('ends nobody while nobody waits, and begins its windows anew when somebody does', () => {
    const slow = new Sender(1)
    const { paces, pass, shortage } = guard([slow])
    pass(10_000)
    shortage.is = false
    paces.watch()
    pass(10_000)
    shortage.is = true
    paces.watch()
    pass(900)
    shortage.is = false
    pass(900)
    shortage.is = true
    paces.watch()
    pass(900)
    expect(slow.stalled).toBe(false)
    pass(400)
    expect(slow.stalled).toBe(true)
  })

  it('goes by the average: a network may be gone for a moment', () => {
    const bursts = new Sender(1000)
    const { paces, pass } = guard([bursts])
    paces.watch()
    for (let i = 0; i < 20; i += 1) {
      bursts.rate = 1000
      pass(200)
      bursts.rate = 0
      pass(700)
    }
    expect(bursts.stalled).toBe(false)
  })

  it('counts only the time in which a sender is waited for', () => {
    const heldBack = new Sender(1)
    heldBack.waited = 0.01
    const { paces, pass } = guard([heldBack])
    paces.watch()
    pass(20_000)
    expect(heldBack.stalled).toBe(false)
  })

  it('wants nothing where the least is 0', () => {
    const slow = new Sender(0)
    const { paces, pass } = guard([slow], 0)
    paces.watch()
    pass(10_000)
    expect(slow.stalled).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('forgets a body that has ended, and rests when nobody waits any more', () => {
    const slow = new Sender(1)
    const { paces, pass, shortage } = guard([slow])
    paces.watch()
    pass(500)
    paces.forget(slow)
    pass(900)
    expect(slow.stalled).toBe(false)
    shortage.is = false
    pass(200)
    expect(vi.getTimerCount()).toBe(0)
  })
})
