import { describe, expect, it } from 'vitest'
import { type Attempt, pauseAfter, type RetryPolicy, retried, StallError } from '../../../../src/storage/s3/retry.ts'

const policy: RetryPolicy = { attempts: 5, baseMs: 100, longestPauseMs: 1000, totalMs: 10_000, stallMs: 10_000 }

/** A clock that moves only while it is slept on. */
function aClock(random = 1) {
  let time = 0
  const pauses: number[] = []
  return {
    pauses,
    now: () => time,
    random: () => random,
    sleep: async (ms: number) => {
      pauses.push(ms)
      time += ms
    },
  }
}

const passing = () => true

describe('pauseAfter', () => {
  it('doubles with every attempt, up to the longest', () => {
    expect([1, 2, 3, 4, 5, 6].map((attempt) => pauseAfter(attempt, policy, () => 1))).toEqual([
      100, 200, 400, 800, 1000, 1000,
    ])
  })

  it('is anywhere between nothing and that', () => {
    expect(pauseAfter(3, policy, () => 0)).toBe(0)
    expect(pauseAfter(3, policy, () => 0.5)).toBe(200)
  })
})

describe('retried', () => {
  it('tries again until it succeeds', async () => {
    const clock = aClock()
    let attempts = 0
    const work = async () => {
      attempts += 1
      if (attempts < 3) throw new Error('not yet')
      return 'done'
    }
    expect(await retried(work, passing, policy, clock)).toBe('done')
    expect(clock.pauses).toEqual([100, 200])
  })

  it('throws what the last attempt threw', async () => {
    let attempts = 0
    const work = async () => {
      attempts += 1
      throw new Error(`attempt ${attempts}`)
    }
    await expect(retried(work, passing, policy, aClock())).rejects.toThrow('attempt 5')
  })

  it('does not try again what fails for good', async () => {
    let attempts = 0
    const work = async () => {
      attempts += 1
      throw new Error('never')
    }
    await expect(retried(work, () => false, policy, aClock())).rejects.toThrow('never')
    expect(attempts).toBe(1)
  })

  it('begins no attempt after its time', async () => {
    const clock = aClock()
    const begun: number[] = []
    const work = async () => {
      begun.push(clock.now())
      await clock.sleep(1000)
      throw new Error('slow')
    }
    await expect(retried(work, passing, { ...policy, totalMs: 2500 }, clock)).rejects.toThrow('slow')
    expect(begun).toEqual([0, 1100, 2300])
  })

  it('ends an attempt in which nothing moves, and none in which something does', async () => {
    const stalled = { ...policy, attempts: 1, stallMs: 40 }
    const waiting = ({ signal }: Attempt) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }))
    await expect(retried(waiting, passing, stalled)).rejects.toBeInstanceOf(StallError)

    const moving = async ({ moved, signal }: Attempt) => {
      for (let time = 0; time < 12; time += 1) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        moved()
      }
      return signal.aborted
    }
    expect(await retried(moving, passing, stalled)).toBe(false)
  })

  it('throws what ended the attempt rather than the abort it led to', async () => {
    const work = ({ signal, fail }: Attempt) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
        fail(new Error('the body cannot be read'))
      })
    await expect(retried(work, () => false, policy, aClock())).rejects.toThrow('the body cannot be read')
  })
})
