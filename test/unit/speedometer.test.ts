import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Speedometer } from '../../src/speedometer.ts'

/** A speedometer that was told these. */
function meter(...samples: readonly (readonly [at: number, bytes: number])[]): Speedometer {
  const speedometer = new Speedometer()
  for (const [at, bytes] of samples) speedometer.sample(at, bytes)
  return speedometer
}

describe('a speedometer', () => {
  it('stands still before there are two samples', () => {
    expect(meter().bytesPerSecond(1000)).toBe(0)
    expect(meter([0, 500]).bytesPerSecond(0)).toBe(0)
    expect(meter([0, 500]).bytesPerSecond(1000)).toBe(0)
  })

  it('does not count what was durable before the first sample', () => {
    expect(meter([0, 1_000_000], [1000, 1_000_500]).bytesPerSecond(1000)).toBe(500)
  })

  it('measures an even speed exactly, however close the commits come', () => {
    const pauses = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(pauses, fc.integer({ min: 1, max: 1000 }), (pauses, bytesPerMs) => {
        const speedometer = meter([0, 0])
        let at = 0
        for (const pause of pauses) {
          at += pause
          speedometer.sample(at, at * bytesPerMs)
          expect(speedometer.bytesPerSecond(at)).toBe(bytesPerMs * 1000)
        }
      }),
    )
  })

  it('counts the bytes of commits that come within a moment', () => {
    const speedometer = meter([0, 0], [1000, 100], [1100, 300], [1200, 600])
    expect(speedometer.bytesPerSecond(1200)).toBe(500)
  })

  it('forgets what lies before its window', () => {
    const speedometer = new Speedometer()
    for (let at = 0; at <= 60_000; at += 500) speedometer.sample(at, at < 30_000 ? at : 30_000 + (at - 30_000) * 4)
    expect(speedometer.bytesPerSecond(60_000)).toBe(4000)
  })

  it('slows down while nothing comes, and stands still after ten seconds', () => {
    const speedometer = meter([0, 0], [1000, 1000])
    expect(speedometer.bytesPerSecond(1000)).toBe(1000)
    expect(speedometer.bytesPerSecond(4000)).toBe(250)
    expect(speedometer.bytesPerSecond(11_000)).toBeGreaterThan(0)
    expect(speedometer.bytesPerSecond(11_001)).toBe(0)
  })

  it('measures anew after a pause', () => {
    const speedometer = meter([0, 0], [1000, 1000], [3_600_000, 1000], [3_601_000, 3000])
    expect(speedometer.bytesPerSecond(3_601_000)).toBe(2000)
  })

  it('measures anew after a pause also when the first commit comes at once', () => {
    const speedometer = meter([0, 0], [1000, 1000], [3_600_000, 1000], [3_600_200, 1400])
    expect(speedometer.bytesPerSecond(3_600_200)).toBe(2000)
  })

  it('never tells a negative or an infinite speed, whatever the clock does', () => {
    const samples = fc.array(fc.tuple(fc.nat(100_000), fc.nat(1000)), { maxLength: 30 })
    fc.assert(
      fc.property(samples, fc.nat(200_000), (samples, at) => {
        const speedometer = new Speedometer()
        let bytes = 0
        for (const [at, more] of samples) {
          bytes += more
          speedometer.sample(at, bytes)
        }
        const speed = speedometer.bytesPerSecond(at)
        expect(Number.isSafeInteger(speed)).toBe(true)
        expect(speed).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})
