import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger.ts'
import { formatDuration, type Progress, progressOf } from '../../src/progress.ts'
import { aManifest, anEntry, anUpload, aTail } from '../support/upload-samples.ts'

/** Progress of an upload of one chunk, of which some bytes are there. */
function after(bytes: number, size: number, bytesPerSecond = 0): Progress {
  const ledger = new Ledger()
  if (bytes === size) ledger.add(anEntry(0, { size }))
  else ledger.setTail(aTail(0, bytes))
  return progressOf(anUpload({ manifest: aManifest({ chunkSize: size, size }), ledger }), bytesPerSecond)
}

/** Some bytes of a file, and its size. */
const part = fc
  .oneof(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
  .chain((size) => fc.tuple(fc.oneof(fc.integer({ min: 0, max: size }), fc.constant(size - 1)), fc.constant(size)))

describe('progress', () => {
  it('counts every durable byte, also those beyond a gap', () => {
    const ledger = Ledger.of([anEntry(0), anEntry(2, { size: 2 })], aTail(1, 3))
    expect(progressOf(anUpload({ status: 'uploading', ledger }), 0)).toMatchObject({
      status: 'uploading',
      totalSize: 10,
      uploadedBytes: 9,
      percentComplete: 90,
      chunksUploaded: 2,
      totalChunks: 3,
      missingChunks: [[1, 1]],
    })
  })

  it('says 100 percent when every byte is there, and never before', () => {
    fc.assert(
      fc.property(part, ([bytes, size]) => {
        expect(after(bytes, size).percentComplete === 100).toBe(bytes === size)
      }),
    )
    expect(after(2 ** 53 - 2, 2 ** 53 - 1).percentComplete).toBe(99.99)
  })

  it.each([
    [1, 3, 33.33],
    [2, 3, 66.66],
    [1, 10_001, 0],
    [57, 100, 57],
    [43, 1000, 4.3],
    [57 * 1024 * 1024, 100 * 1024 * 1024, 57],
  ])('says of %i bytes of %i that they are %f percent', (bytes, size, percent) => {
    expect(after(bytes, size).percentComplete).toBe(percent)
  })

  it('rounds percents down to two decimals, exactly', () => {
    const round = fc
      .constantFrom(100, 1000, 10_000)
      .chain((size) => fc.tuple(fc.integer({ min: 0, max: size }), fc.constant(size)))
    fc.assert(
      fc.property(fc.oneof(part, round), ([bytes, size]) => {
        expect(after(bytes, size).percentComplete).toBe(Number((BigInt(bytes) * 10_000n) / BigInt(size)) / 100)
      }),
      { numRuns: 1000 },
    )
  })

  it('is complete in bytes at once for a file of 0 bytes', () => {
    const upload = anUpload({ manifest: aManifest({ size: 0 }) })
    expect(progressOf(upload, 0)).toMatchObject({
      status: 'initiated',
      totalSize: 0,
      percentComplete: 100,
      totalChunks: 0,
      missingChunks: [],
      secondsRemaining: 0,
    })
  })

  it('leaves open what nobody can know while the length is deferred', () => {
    const upload = anUpload({ manifest: aManifest({ size: null }), ledger: Ledger.of([anEntry(0), anEntry(5)]) })
    expect(progressOf(upload, 4)).toMatchObject({
      totalSize: null,
      uploadedBytes: 8,
      percentComplete: null,
      chunksUploaded: 2,
      totalChunks: null,
      missingChunks: [],
      bytesPerSecond: 4,
      secondsRemaining: null,
    })
  })

  it('goes by the length that was declared later, not by the manifest', () => {
    const upload = anUpload({ manifest: aManifest({ size: null }), size: 8, ledger: Ledger.of([anEntry(0)]) })
    expect(progressOf(upload, 0)).toMatchObject({
      totalSize: 8,
      percentComplete: 50,
      totalChunks: 2,
      missingChunks: [[1, 1]],
    })
  })

  it('tells the time remaining in whole seconds, rounded up', () => {
    expect(after(40, 100, 60).secondsRemaining).toBe(1)
    expect(after(40, 100, 59).secondsRemaining).toBe(2)
    expect(after(1, 100, 1_000_000).secondsRemaining).toBe(1)
  })

  it('does not know the time remaining without a speed, unless nothing remains', () => {
    expect(after(40, 100, 0).secondsRemaining).toBeNull()
    expect(after(100, 100, 0).secondsRemaining).toBe(0)
  })
})

describe('a duration', () => {
  it.each([
    [0, '00:00:00'],
    [59, '00:00:59'],
    [60, '00:01:00'],
    [3599, '00:59:59'],
    [3600, '01:00:00'],
    [86_399, '23:59:59'],
    [360_000, '100:00:00'],
  ])('of %i seconds is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text)
  })

  it('is written so that its seconds can be read off again', () => {
    fc.assert(
      fc.property(fc.nat(), (seconds) => {
        const text = formatDuration(seconds)
        expect(text).toMatch(/^\d{2,}:[0-5]\d:[0-5]\d$/)
        const [hours = 0, minutes = 0, rest = 0] = text.split(':').map(Number)
        expect(hours * 3600 + minutes * 60 + rest).toBe(seconds)
      }),
    )
  })
})
