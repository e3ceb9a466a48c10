import { describe, expect, it, vi } from 'vitest'
import { beginPut, CALLER, chunk, create, isJournal, openUploads, outcomeOf, put } from './opened-uploads.ts'

const EXPIRED = { code: 'UPLOAD_EXPIRED', status: 410 }

describe('a resume that meets the expiry of its upload', () => {
  it('waits for it, and is told that the upload has expired', async () => {
    const clock = { now: Date.now() }
    const { uploads, files, locksAsked } = await openUploads({ now: () => clock.now, expiresAfterMs: 1000 })
    const id = await create(uploads, 200)
    await put(uploads, id, 0)
    clock.now += 1000

    // Whoever touches it first carries the expiry out, and is held where it is being recorded.
    files.hold(({ name, path }) => name === 'writev' && isJournal(path))
    const expiring = uploads.progress(id, CALLER)
    await vi.waitUntil(() => files.waiting > 0, { timeout: 10_000 })
    const before = locksAsked('chunk')
    const resume = uploads.resume(id, CALLER)
    const outcome = outcomeOf(resume)
    await vi.waitUntil(() => outcome.settled || locksAsked('chunk') > before, { timeout: 10_000 })
    files.release()

    await Promise.all([expect(expiring).rejects.toMatchObject(EXPIRED), expect(resume).rejects.toMatchObject(EXPIRED)])
    await expect(uploads.progress(id, CALLER)).rejects.toMatchObject(EXPIRED)
  })

  it('says active only of an upload that is there afterwards, whichever comes first', async () => {
    const clock = { now: Date.now() }
    const { uploads } = await openUploads({ now: () => clock.now, expiresAfterMs: 1000 })
    for (let round = 0; round < 50; round += 1) {
      const id = await create(uploads, 200)
      clock.now += 1000
      const progress = (): Promise<unknown> => uploads.progress(id, CALLER)
      const resume = (): Promise<unknown> => uploads.resume(id, CALLER)
      const both = round % 2 === 0 ? [progress(), resume()] : [resume(), progress()]
      const answers = await Promise.allSettled(both)
      const [after] = await Promise.allSettled([progress()])
      expect(answers[round % 2 === 0 ? 1 : 0]?.status).toBe(after.status)
    }
  })

  it('keeps an upload alive that somebody is writing to, and does not wait for the writer', async () => {
    const clock = { now: Date.now() }
    const { uploads } = await openUploads({ now: () => clock.now, expiresAfterMs: 1000 })
    const id = await create(uploads, 200)
    const { body, answer } = await beginPut(uploads, id, 1, chunk(1).subarray(0, 60))
    clock.now += 2000
    const { upload } = await uploads.resume(id, CALLER)
    expect(upload.expiresAt).toBe(clock.now + 1000)
    body.end(chunk(1).subarray(60))
    expect((await answer).entry.number).toBe(1)
  })
})
