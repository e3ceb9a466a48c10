import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { append, CALLER, chunk, create, openUploads, put } from './opened-uploads.ts'

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** An upload of one chunk, half of which is there as a tail. */
async function withTail() {
  const opened = await openUploads()
  const id = await create(opened.uploads, 100)
  await append(opened.uploads, id, 0, chunk(0).subarray(0, 50))
  return { ...opened, id }
}

/** The chunk with one byte that is not its own. */
function spoiledAt(position: number): Buffer {
  const bytes = Buffer.from(chunk(0))
  bytes[position] = 0xff
  return bytes
}

describe('a chunk that is sent over a tail', () => {
  it.each([
    ['the tail', 3],
    ['what comes after it', 73],
  ])('is CHECKSUM_MISMATCH where it is spoiled in %s, and can be sent again', async (_where, position) => {
    const { uploads, directory, id } = await withTail()
    const spoiled = spoiledAt(position)
    await expect(put(uploads, id, 0, spoiled, sha256(chunk(0)))).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      status: 422,
      details: { chunkNumber: 0, expected: sha256(chunk(0)), actual: sha256(spoiled) },
    })
    expect(await uploads.progress(id, CALLER)).toMatchObject({ uploadedBytes: 50 })

    await put(uploads, id, 0, chunk(0), sha256(chunk(0)))
    const { file } = await uploads.complete(id, {}, CALLER)
    expect(await readFile(join(directory, 'files', file.id))).toEqual(chunk(0))
  })

  it.each([
    ['with their checksum', true],
    ['without one', false],
  ])('is CHUNK_CONFLICT where it is of other bytes, sent %s, and changes nothing', async (_how, isDeclared) => {
    const { uploads, directory, id } = await withTail()
    const other = spoiledAt(3)
    const answer = put(uploads, id, 0, other, isDeclared ? sha256(other) : undefined)
    await expect(answer).rejects.toMatchObject({
      code: 'CHUNK_CONFLICT',
      status: 409,
      details: { chunkNumber: 0, receivedChecksum: sha256(other) },
    })
    expect(await uploads.progress(id, CALLER)).toMatchObject({ status: 'uploading', uploadedBytes: 50 })

    const { upload } = await append(uploads, id, 50, chunk(0).subarray(50))
    expect(upload.status).toBe('uploaded')
    const { file } = await uploads.complete(id, {}, CALLER)
    expect(await readFile(join(directory, 'files', file.id))).toEqual(chunk(0))
  })
})
