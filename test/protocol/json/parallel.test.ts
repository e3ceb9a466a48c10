import { describe, expect, it } from 'vitest'
import {
  type Answer,
  chunkOf,
  dataOf,
  failureOf,
  JsonClient,
  otherThan,
  sha256,
  someFile,
} from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()

const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status).toSorted((a, b) => a - b)

/** The numbers below `count`, in an order that no client would choose. */
function scattered(count: number): number[] {
  const step = 37
  return Array.from({ length: count }, (_, i) => (i * step) % count)
}

describe('chunks', () => {
  it('arrive in any order', async () => {
    const { client } = server
    const file = someFile(41)
    const { id, fileId } = await client.begin({ fileSize: 41, chunkSize: 4 })

    for (const n of [10, 3, 0, 7, 1, 9, 2, 8, 6, 4, 5]) await client.sent(id, n, chunkOf(file, 4, n))

    expect(await client.completed(id)).toMatchObject({ checksum: sha256(file) })
    expect((await server.storedFile(fileId)).equals(file)).toBe(true)
  })

  it('arrive in parallel, a hundred of them over eight connections', async () => {
    const client = new JsonClient(server.url, { connections: 8 })
    const chunkSize = 64 * 1024
    const file = someFile(100 * chunkSize - 123)
    const { id, fileId, totalChunks } = await client.begin({ fileSize: file.length, chunkSize })
    expect(totalChunks).toBe(100)

    await Promise.all(scattered(100).map((n) => client.sent(id, n, chunkOf(file, chunkSize, n))))

    expect(await client.progressed(id)).toMatchObject({ chunksUploaded: 100, percentComplete: 100, missingChunks: [] })
    expect(await client.completed(id)).toMatchObject({ checksum: sha256(file), size: file.length })
    expect(sha256(await server.storedFile(fileId))).toBe(sha256(file))
    client.close()
  })

  it('arrive in parallel, every one of them twice', async () => {
    const { client } = server
    const file = someFile(20 * 1000)
    const { id } = await client.begin({ fileSize: file.length, chunkSize: 1000 })

    const answers = await Promise.all(
      [...scattered(20), ...scattered(20).toReversed()].map(async (n) => {
        const { expiresAt: _, ...answer } = await client.sent(id, n, chunkOf(file, 1000, n))
        return answer
      }),
    )

    const distinct = new Set(answers.map((answer) => JSON.stringify(answer)))
    expect(distinct.size, 'each chunk has one answer').toBe(20)
    expect(await client.completed(id)).toMatchObject({ checksum: sha256(file) })
  })

  it('of several uploads arrive in parallel and stay apart', async () => {
    const { client } = server
    const files = Array.from({ length: 6 }, () => someFile(9000))

    const finished = await Promise.all(
      files.map(async (file) => {
        const { id, totalChunks } = await client.begin({ fileSize: file.length, chunkSize: 1000 })
        await Promise.all(scattered(totalChunks).map((n) => client.sent(id, n, chunkOf(file, 1000, n))))
        return client.completed(id)
      }),
    )

    expect(finished.map(({ checksum }) => checksum)).toEqual(files.map((file) => sha256(file)))
  })
})

describe('two clients that send the same chunk at once', () => {
  it('both get 200 and one answer for the same bytes', async () => {
    const { client } = server
    const bytes = someFile(8)
    const { id } = await client.begin({ fileSize: 8 })
    const [one, other] = [client.openChunk(id, 0, 8), client.openChunk(id, 0, 8)]
    await Promise.all([one.write(bytes.subarray(0, 3)), other.write(bytes.subarray(0, 5))])
    await server.hasBegunToWrite(id)

    const answers = await Promise.all([one.end(bytes.subarray(3)), other.end(bytes.subarray(5))])

    expect(dataOf(answers[0])).toEqual(dataOf(answers[1]))
    expect(dataOf(answers[0])).toMatchObject({ checksum: sha256(bytes) })
    expect(await client.progressed(id)).toMatchObject({ chunksUploaded: 1, uploadedBytes: 8 })
  })

  it('get one 200 and one 409 CHUNK_CONFLICT for other bytes; what was acknowledged is what is stored', async () => {
    const { client } = server
    const bytes = someFile(8)
    const others = otherThan(bytes)
    const { id, fileId } = await client.begin({ fileSize: 8 })
    const [one, other] = [client.openChunk(id, 0, 8), client.openChunk(id, 0, 8)]
    await Promise.all([one.write(bytes.subarray(0, 3)), other.write(others.subarray(0, 5))])
    await server.hasBegunToWrite(id)

    const answers = await Promise.all([one.end(bytes.subarray(3)), other.end(others.subarray(5))])

    expect(statuses(answers)).toEqual([200, 409])
    const winner = answers[0].status === 200 ? bytes : others
    failureOf(answers.find(({ status }) => status === 409) as Answer, 409, 'CHUNK_CONFLICT')
    expect(dataOf(answers.find(({ status }) => status === 200) as Answer)).toMatchObject({ checksum: sha256(winner) })
    expect(await client.completed(id)).toMatchObject({ checksum: sha256(winner) })
    expect((await server.storedFile(fileId)).equals(winner)).toBe(true)
  })

  it('never mix their bytes, whoever of many is first', async () => {
    const { client } = server
    const versions = Array.from({ length: 8 }, () => someFile(200_000))
    const { id, fileId } = await client.begin({ fileSize: 200_000 })

    const answers = await Promise.all(versions.map((bytes) => client.chunk(id, 0, bytes)))

    expect(statuses(answers)).toEqual([200, ...Array.from({ length: 7 }, () => 409)])
    const winner = versions[answers.findIndex(({ status }) => status === 200)]
    await client.completed(id)
    expect(winner !== undefined && (await server.storedFile(fileId)).equals(winner)).toBe(true)
  })

  it('leave the chunk to the second when the first goes away in the middle', async () => {
    const { client } = server
    const bytes = someFile(8)
    const { id } = await client.begin({ fileSize: 8 })
    const first = client.openChunk(id, 0, 8)
    await first.write(otherThan(bytes).subarray(3))
    await server.hasBegunToWrite(id)
    const second = client.chunk(id, 0, bytes)

    await first.cut()

    expect(dataOf(await second)).toMatchObject({ checksum: sha256(bytes) })
    expect(await client.completed(id)).toMatchObject({ checksum: sha256(bytes) })
  })
})

describe('a chunk that is sent again while it is there already', () => {
  it('does not hold up complete, also where it waited for the first', async () => {
    const { client } = server
    const bytes = someFile(8)
    const { id } = await client.begin({ fileSize: 8 })
    const first = client.openChunk(id, 0, 8)
    await first.write(bytes.subarray(0, 4))
    await server.hasBegunToWrite(id)
    const again = client.openChunk(id, 0, 8)
    await again.write(bytes.subarray(0, 4))
    // Answered, it tells that the server has heard of the second too.
    await client.progressed(id)
    dataOf(await first.end(bytes.subarray(4)))

    expect(await client.completed(id)).toMatchObject({ checksum: sha256(bytes) })

    expect(dataOf(await again.end(bytes.subarray(4)))).toMatchObject({ checksum: sha256(bytes) })
  })

  it('gets 410 UPLOAD_CANCELLED where a cancel comes in between', async () => {
    const { client } = server
    const bytes = someFile(4)
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })
    await client.sent(id, 0, bytes)
    const again = client.openChunk(id, 0, 4)
    await again.write(bytes.subarray(0, 2))
    await client.progressed(id)

    expect((await client.cancel(id)).status).toBe(200)

    failureOf(await again.end(bytes.subarray(2)), 410, 'UPLOAD_CANCELLED')
  })
})

describe('complete', () => {
  it('answers two clients at once with the same file', async () => {
    const { client } = server
    const file = someFile(50_000)
    const { id, fileId } = await client.filled(file, { chunkSize: 10_000 })

    const files = await Promise.all([client.completed(id), client.completed(id), client.completed(id)])

    expect(files[0]).toMatchObject({ id: fileId, checksum: sha256(file) })
    expect(files[1]).toEqual(files[0])
    expect(files[2]).toEqual(files[0])
  })

  it('answers 409 CHUNKS_MISSING during a chunk, and does not disturb it', async () => {
    const { client } = server
    const file = someFile(8)
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })
    await client.sent(id, 0, chunkOf(file, 4, 0))
    const open = client.openChunk(id, 1, 4)
    await open.write(file.subarray(4, 7))
    await server.hasBegunToWrite(id)

    const failure = failureOf(await client.complete(id), 409, 'CHUNKS_MISSING')

    expect(failure.details?.missing).toEqual([[1, 1]])
    dataOf(await open.end(file.subarray(7)))
    expect(await client.completed(id)).toMatchObject({ checksum: sha256(file) })
  })

  it('wins or loses against a cancel at the same time, and never both', async () => {
    const { client } = server
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { id, fileId } = await client.filled(someFile(4))
        const [completed, cancelled] = await Promise.all([client.complete(id), client.cancel(id)])
        const there = (await server.inventory()).includes(`files/${fileId}`)
        if (completed.status === 200) failureOf(cancelled, 409, 'UPLOAD_COMPLETED')
        else failureOf(completed, 410, 'UPLOAD_CANCELLED')
        return [completed.status === 200, cancelled.status === 200, there]
      }),
    )

    for (const [completed, cancelled, there] of outcomes) {
      expect(cancelled).toBe(!completed)
      expect(there).toBe(completed)
    }
  })
})

describe('cancel', () => {
  it('answers 200 during a chunk, and that chunk gets 410 UPLOAD_CANCELLED', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })
    const open = client.openChunk(id, 0, 4)
    await open.write(someFile(3))
    await server.hasBegunToWrite(id)

    const cancelled = await client.cancel(id)
    const answer = await open.end(someFile(1))

    expect(cancelled.status).toBe(200)
    failureOf(answer, 410, 'UPLOAD_CANCELLED')
    failureOf(await client.progress(id), 410, 'UPLOAD_CANCELLED')
    expect(await server.inventory()).not.toContain(`uploads/${id}/data`)
  })

  it('answers 200 during a chunk that two clients send, and both get 410 UPLOAD_CANCELLED', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })
    const opens = [client.openChunk(id, 0, 4), client.openChunk(id, 0, 4)]
    await Promise.all(opens.map((open) => open.write(someFile(3))))
    await server.hasBegunToWrite(id)

    expect((await client.cancel(id)).status).toBe(200)

    const answers = await Promise.all(opens.map((open) => open.end(someFile(1))))
    for (const answer of answers) failureOf(answer, 410, 'UPLOAD_CANCELLED')
  })

  it('does not wait for the bodies of many chunks, and all of them get 410 UPLOAD_CANCELLED', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 40, chunkSize: 4 })
    const opens = Array.from({ length: 10 }, (_, n) => client.openChunk(id, n, 4))
    await Promise.all(opens.map((open) => open.write(someFile(2))))
    await server.hasBegunToWrite(id)

    expect((await client.cancel(id)).status).toBe(200)

    const answers = await Promise.all(opens.map((open) => open.end(someFile(2))))
    for (const answer of answers) failureOf(answer, 410, 'UPLOAD_CANCELLED')
  })
})
