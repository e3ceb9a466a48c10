import { describe, expect, it } from 'vitest'
import { derived, formatDuration } from '../../../../adapters/client/progress.ts'

describe('the progress of an upload', () => {
  it('is never 100 before all is there', () => {
    const at = (uploadedBytes: number) => derived({ totalSize: 12_582_912, uploadedBytes, bytesPerSecond: 0 })
    expect(at(0).percentComplete).toBe(0)
    expect(at(5_242_880).percentComplete).toBe(41.66)
    expect(at(12_582_911).percentComplete).toBe(99.99)
    expect(at(12_582_912).percentComplete).toBe(100)
  })

  it('says how long the rest takes, where that is known', () => {
    const at = (bytesPerSecond: number) => derived({ totalSize: 1000, uploadedBytes: 100, bytesPerSecond })
    expect(at(0)).toMatchObject({ secondsRemaining: null, estimatedTimeRemaining: null })
    expect(at(300)).toMatchObject({ secondsRemaining: 3, estimatedTimeRemaining: '00:00:03' })
  })

  it('is whole for a file of no bytes', () => {
    expect(derived({ totalSize: 0, uploadedBytes: 0, bytesPerSecond: 0 })).toEqual({
      percentComplete: 100,
      secondsRemaining: 0,
      estimatedTimeRemaining: '00:00:00',
    })
  })

  it('writes durations as clocks do, with more hours than a day has', () => {
    expect([0, 59.2, 3661, 360_000].map(formatDuration)).toEqual(['00:00:00', '00:01:00', '01:01:01', '100:00:00'])
  })
})
