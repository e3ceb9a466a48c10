import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Digests } from '../../../src/checksum/digests.ts'
import { MIB } from '../../../src/grid.ts'
import { createUploads, MemoryState } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { append, CALLER, chunk, chunks, create, type HeldFiles, isData, openUploads, put } from './opened-uploads.ts'

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const readsOf = ({ reads }: HeldFiles): number => reads.filter(({ path }) => isData(path)).length

describe('the checksum of a file whose chunks come in order', () => {
  it('costs no reading', async () => {
    const { uploads, files } = await openUploads()
    const id = await create(uploads, 350, sha256(chunks(4).subarray(0, 350)))
    for (const number of [0, 1, 2]) await put(uploads, id, number)
    await put(uploads, id, 3, chunk(3).subarray(0, 50))
    const { file } = await uploads.complete(id, {}, CALLER)
    expect(file.checksum).toBe(sha256(chunks(4).subarray(0, 350)))
    expect(readsOf(files)).toBe(0)
  })

  it('is in its record from the beginning, and recorded with its end', async () => {
    const { uploads, files, directory } = await openUploads()
    const completed: (string | null)[] = []
    uploads.events.on('completed', ({ checksum }) => completed.push(checksum))
    const id = await create(uploads, 200)
    await put(uploads, id, 0)
    await put(uploads, id, 1)
    let written = 0
    files.plan = ({ name, path }) => {
      if (name === 'writev' && path.includes('.json')) written += 1
      return null
    }
    await uploads.complete(id, { waitMs: 0 }, CALLER)
    expect(completed).toEqual([sha256(chunks(2))])
    expect(await uploads.find(id, CALLER)).toMatchObject({ status: 'uploaded', digest: sha256(chunks(2)) })
    // The file's record.
    expect(written).toBe(1)
    const journal = await readFile(join(directory, 'uploads', id, 'journal'), 'utf8')
    expect(journal.split('\n').filter((line) => line.includes('"digest"'))).toHaveLength(1)
  })

  it('knows nothing of a chunk that was refused or broke off', async () => {
    const { uploads, files } = await openUploads()
    const id = await create(uploads, 300)
    await put(uploads, id, 0)
    await expect(put(uploads, id, 1, chunk(7), sha256(chunk(1)))).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    await expect(put(uploads, id, 1, chunk(7).subarray(0, 60))).rejects.toMatchObject({ code: 'CHUNK_SIZE_MISMATCH' })
    files.plan = ({ name, path }) => (name === 'writev' && isData(path) ? { when: 'after', code: 'EIO' } : null)
    await expect(put(uploads, id, 1, chunk(7))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    files.plan = () => null
    await put(uploads, id, 1)
    await expect(put(uploads, id, 1, chunk(7))).rejects.toMatchObject({ code: 'CHUNK_CONFLICT' })
    await put(uploads, id, 2)
    expect((await uploads.complete(id, {}, CALLER)).file.checksum).toBe(sha256(chunks(3)))
    expect(readsOf(files)).toBe(0)
  })

  it('reads what came by the other face, and of what came out of order', async () => {
    const { uploads, files } = await openUploads()
    const id = await create(uploads, 500)
    await append(uploads, id, 0, chunks(2).subarray(0, 130))
    await put(uploads, id, 3)
    await put(uploads, id, 1)
    await put(uploads, id, 2)
    await put(uploads, id, 4)
    expect((await uploads.complete(id, {}, CALLER)).file.checksum).toBe(sha256(chunks(5)))
    expect(readsOf(files)).toBeGreaterThan(0)
  })

  it('is read by the thread alone where they are of a MiB or more', async () => {
    const read = vi.spyOn(FileStorage.prototype, 'read')
    onTestFinished(() => read.mockRestore())
    const uploads = createUploads({
      storage: new FileStorage({ directory: await tempDir() }),
      state: new MemoryState(),
      chunkSize: MIB,
    })
    await uploads.open()
    onTestFinished(() => uploads.close())
    const bytes = randomBytes(3 * MIB)
    const id = await create(uploads, bytes.length)
    const feed = vi.spyOn(Digests.prototype, 'feed')
    onTestFinished(() => feed.mockRestore())
    for (const number of [0, 1, 2]) await put(uploads, id, number, bytes.subarray(number * MIB, (number + 1) * MIB))
    expect((await uploads.complete(id, {}, CALLER)).file.checksum).toBe(sha256(bytes))
    expect([read.mock.calls, feed.mock.calls]).toEqual([[], []])
  })
})
