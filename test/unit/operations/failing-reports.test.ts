import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { CALLER, create, openUploads, put } from './opened-uploads.ts'

/** Rejections that nobody handles, from now on until the test has finished. */
function unhandledRejections(): unknown[] {
  const seen: unknown[] = []
  const note = (reason: unknown): void => {
    seen.push(reason)
  }
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  return seen
}

/** What a reporter of failures may do that fails itself. */
const FAILURES: readonly (readonly [how: string, fail: () => unknown])[] = [
  [
    'throws',
    () => {
      throw new Error('the log is full')
    },
  ],
  ['rejects', () => Promise.reject(new Error('the log is far away'))],
]

/** Counts the reports, and fails at each. No mock: that would handle the rejections. */
function reporter(fail: () => unknown) {
  const told = { count: 0 }
  const onError = (): unknown => {
    told.count += 1
    return fail()
  }
  return { told, onError }
}

describe.each(FAILURES)('an onError that %s', (_how, fail) => {
  it('does no harm where the checksum of a file fails', async () => {
    const unhandled = unhandledRejections()
    const { told, onError } = reporter(fail)
    const { uploads, files } = await openUploads({ onError })
    files.plan = ({ name, path }) =>
      name === 'read' && path.endsWith('/data') ? { when: 'before', code: 'EIO' } : null
    const id = await create(uploads, 200)
    // Out of order: it is read back.
    await put(uploads, id, 1)
    await put(uploads, id, 0)
    await vi.waitUntil(() => told.count > 0, { timeout: 10_000 })

    files.plan = () => null
    expect((await uploads.complete(id, {}, CALLER)).file.checksum).toMatch(/^[0-9a-f]{64}$/)
    await uploads.close()
    expect(unhandled).toEqual([])
  })

  it('does not end the sweeps', async () => {
    const unhandled = unhandledRejections()
    const { told, onError } = reporter(fail)
    const clock = { now: Date.now() }
    const { uploads, files } = await openUploads({
      onError,
      now: () => clock.now,
      expiresAfterMs: 1000,
      sweepIntervalMs: 5,
    })
    const expired: string[] = []
    uploads.events.on('expired', ({ manifest }) => expired.push(manifest.id))
    const id = await create(uploads, 200)
    files.plan = ({ name }) => (name === 'readdir' ? { when: 'before', code: 'EIO' } : null)
    await vi.waitUntil(() => told.count > 1, { timeout: 10_000 })

    files.plan = () => null
    clock.now += 1000
    await vi.waitUntil(() => expired.length > 0, { timeout: 10_000 })
    expect(expired).toEqual([id])
    await uploads.close()
    expect(unhandled).toEqual([])
  })
})
