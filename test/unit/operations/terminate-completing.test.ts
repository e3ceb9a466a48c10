import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CALLER, chunk, create, isData, openUploads, put } from './opened-uploads.ts'

describe('DELETE of an upload that is being completed', () => {
  it('is answered 423 when that takes longer than the wait for a lock, and goes through afterwards', async () => {
    const { uploads, files } = await openUploads({ lockWaitMs: 100 })
    const declared = createHash('sha256').update(chunk(0)).update(chunk(1)).digest('hex')
    const id = await create(uploads, 200, declared)
    files.hold(({ name, path }) => name === 'read' && isData(path))
    // Out of order: the checksum waits for what is read back.
    await put(uploads, id, 1)
    await put(uploads, id, 0)
    const begun = async (): Promise<string> => {
      await expect(uploads.complete(id, { waitMs: 0 }, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      return (await uploads.progress(id, CALLER)).status
    }
    await expect.poll(begun).toBe('completing')

    const asked = performance.now()
    await expect(uploads.terminate(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED', status: 423 })
    // Far from the wait for a lock on a loaded machine, and farther from for ever.
    expect(performance.now() - asked).toBeLessThan(5000)
    expect(await uploads.progress(id, CALLER)).toMatchObject({ status: 'completing' })

    files.release()
    await uploads.complete(id, {}, CALLER)
    await uploads.terminate(id, CALLER)
    await expect(uploads.find(id, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED' })
  })
})
