import { describe, expect, it } from 'vitest'
import { chunkOf, dataOf, failureOf, otherThan, sha256, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()

describe('a server that was killed and started anew', () => {
  it('knows every chunk that it had acknowledged, and goes on', async () => {
    const file = someFile(50_003)
    const { id, fileId } = await server.client.begin({ fileSize: file.length, chunkSize: 10_000 })
    for (const n of [4, 0, 5]) await server.client.sent(id, n, chunkOf(file, 10_000, n))
    const {
      expiresAt: _,
      bytesPerSecond: __,
      estimatedTimeRemaining: ___,
      ...before
    } = await server.client.progressed(id)

    await server.restart()

    expect(await server.client.progressed(id)).toMatchObject(before)
    expect(before.missingChunks).toEqual([[1, 3]])
    expect(await server.client.resumed(id)).toMatchObject({ nextChunkNumber: 1, missingChunks: [[1, 3]] })
    for (const n of [1, 2, 3]) await server.client.sent(id, n, chunkOf(file, 10_000, n))
    expect(await server.client.completed(id)).toMatchObject({ checksum: sha256(file) })
    expect((await server.storedFile(fileId)).equals(file)).toBe(true)
  })

  it('knows after each of several kills what came between them', async () => {
    const file = someFile(16)
    const { id } = await server.client.begin({ fileSize: 16, chunkSize: 4 })

    for (const numbers of [[2, 0], [3], [1]]) {
      for (const n of numbers) await server.client.sent(id, n, chunkOf(file, 4, n))
      await server.restart()
    }

    expect(await server.client.progressed(id)).toMatchObject({ uploadedBytes: 16, missingChunks: [] })
    expect(await server.client.completed(id)).toMatchObject({ checksum: sha256(file) })
  })

  it('answers the same chunk with the first answer, and other bytes with 409 CHUNK_CONFLICT', async () => {
    const bytes = someFile(4)
    const { id } = await server.client.begin({ fileSize: 8, chunkSize: 4 })
    const { expiresAt: _, ...first } = await server.client.sent(id, 1, bytes)
    await server.restart()

    expect(await server.client.sent(id, 1, bytes)).toMatchObject(first)
    failureOf(await server.client.chunk(id, 1, otherThan(bytes)), 409, 'CHUNK_CONFLICT')
  })

  it('answers for a finished file as before', async () => {
    const file = someFile(10)
    const { id, fileId } = await server.client.filled(file, { chunkSize: 4, metadata: { album: 'summer' } })
    const first = await server.client.completed(id)
    const { expiresAt: _, bytesPerSecond: __, ...progress } = await server.client.progressed(id)
    await server.restart()

    expect(await server.client.completed(id)).toEqual(first)
    expect(await server.client.progressed(id)).toMatchObject(progress)
    expect(await server.client.sent(id, 0, chunkOf(file, 4, 0))).toMatchObject({ chunkNumber: 0 })
    failureOf(await server.client.cancel(id), 409, 'UPLOAD_COMPLETED')
    expect((await server.storedFile(fileId)).equals(file)).toBe(true)
  })

  it('knows an upload that nothing was sent of', async () => {
    const begun = await server.client.begin({ fileSize: 10, chunkSize: 4, fileName: 'été 🏖️.mov' })
    await server.restart()

    expect(await server.client.progressed(begun.id)).toMatchObject({
      sessionId: begun.id,
      fileId: begun.fileId,
      fileName: 'été 🏖️.mov',
      status: 'initiated',
      totalSize: 10,
      chunkSize: 4,
      missingChunks: [[0, 2]],
    })
  })

  it('knows nothing of a chunk that was on its way, and takes it then', async () => {
    const file = someFile(8)
    const { id } = await server.client.begin({ fileSize: 8, chunkSize: 4 })
    await server.client.sent(id, 1, chunkOf(file, 4, 1))
    const open = server.client.openChunk(id, 0, 4)
    await open.write(otherThan(chunkOf(file, 4, 0)).subarray(1))
    await server.hasBegunToWrite(id)

    await server.restart()

    await expect(open.answer).rejects.toThrow(/socket|ECONNRESET/)
    expect(await server.client.progressed(id)).toMatchObject({ uploadedBytes: 4, missingChunks: [[0, 0]] })
    await server.client.sent(id, 0, chunkOf(file, 4, 0))
    expect(await server.client.completed(id)).toMatchObject({ checksum: sha256(file) })
  })

  it('knows nothing of a chunk that it had refused for its checksum', async () => {
    const bytes = someFile(4)
    const { id } = await server.client.begin({ fileSize: 8, chunkSize: 4 })
    const refused = await server.client.chunk(id, 0, bytes, { 'X-Chunk-Checksum': sha256('other') })
    failureOf(refused, 422, 'CHECKSUM_MISMATCH')

    await server.restart()

    expect(await server.client.progressed(id)).toMatchObject({ uploadedBytes: 0, missingChunks: [[0, 1]] })
    dataOf(await server.client.chunk(id, 0, otherThan(bytes)))
  })

  it('keeps a checksum that was declared before', async () => {
    const file = someFile(8)
    const right = await server.client.filled(file, { chunkSize: 4, checksum: sha256(file) })
    const wrong = await server.client.filled(file, { chunkSize: 4, checksum: sha256('another file') })
    await server.restart()

    expect(await server.client.completed(right.id)).toMatchObject({ checksum: sha256(file) })
    failureOf(await server.client.complete(wrong.id), 422, 'CHECKSUM_MISMATCH')
  })
})
