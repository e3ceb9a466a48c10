import { describe, expect, it } from 'vitest'
import { SpeedMeter } from '../../../../adapters/client/speed-meter.ts'

describe('SpeedMeter', () => {
  it('knows nothing before bytes have moved', () => {
    const meter = new SpeedMeter()
    expect(meter.bytesPerSecond(0)).toBe(0)
    meter.restart(500, 1000)
    expect(meter.bytesPerSecond(1000)).toBe(0)
    expect(meter.bytesPerSecond(2000)).toBe(0)
  })

  it('tells the speed of the last seconds', () => {
    const meter = new SpeedMeter()
    meter.restart(0, 0)
    for (let s = 1; s <= 60; s += 1) meter.add(s * 100, s * 1000)
    expect(meter.bytesPerSecond(60_000)).toBe(100)
    for (let s = 61; s <= 90; s += 1) meter.add(6000 + (s - 60) * 1000, s * 1000)
    expect(meter.bytesPerSecond(90_000)).toBe(1000)
  })

  it('gets slower while nothing moves', () => {
    const meter = new SpeedMeter()
    meter.restart(0, 0)
    meter.add(1000, 1000)
    expect(meter.bytesPerSecond(4000)).toBe(250)
  })

  it('forgets what was sent in vain', () => {
    const meter = new SpeedMeter()
    meter.restart(0, 0)
    meter.add(5000, 1000)
    meter.add(1000, 2000)
    expect(meter.bytesPerSecond(2000)).toBe(0)
    meter.add(2000, 3000)
    expect(meter.bytesPerSecond(3000)).toBe(1000)
  })
})
