import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { chunkOf, dataOf, failureOf, type FileAnswer, sha256, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()

describe('complete', () => {
  it.each([
    ['in order', [0, 1, 2, 3, 4]],
    ['backwards', [4, 3, 2, 1, 0]],
    ['in any order', [2, 0, 4, 1, 3]],
  ])('answers what sha256sum prints of chunks that came %s', async (_, order) => {
    const { client } = server
    const file = someFile(450_001)
    const { id, fileId } = await client.begin({ fileSize: file.length, chunkSize: 100_000 })
    for (const n of order) await client.sent(id, n, chunkOf(file, 100_000, n))

    const { checksum, checksumType } = await client.completed(id)

    const { stdout } = await promisify(execFile)('sha256sum', [join(server.dataDir, 'files', fileId)])
    expect(checksum).toBe(stdout.split(' ')[0])
    expect(checksum).toBe(sha256(file))
    expect(checksumType).toBe('FULL_OBJECT')
  })

  it('answers at once with Prefer: wait=0, and has the checksum later', async () => {
    const { client } = server
    const file = someFile(3_000_000)
    const { id } = await client.begin({ fileSize: file.length, chunkSize: 1_000_000 })
    for (const n of [2, 1, 0]) await client.sent(id, n, chunkOf(file, 1_000_000, n))

    const data = dataOf(await client.complete(id, { headers: { Prefer: 'wait=0' } })) as FileAnswer

    expect(data).toMatchObject({ status: 'uploaded', size: file.length })
    // Whether it is known by then is a matter of luck; that it is said which of the two is not.
    if (data.checksum === null) expect(data.checksumStatus).toBe('computing')
    else expect(data).toMatchObject({ checksum: sha256(file), checksumType: 'FULL_OBJECT' })
    await vi.waitUntil(
      async () => (await client.completed(id, { headers: { Prefer: 'wait=0' } })).checksum === sha256(file),
      { timeout: 10_000 },
    )
  })

  it.each(['wait=5', 'respond-async, wait=5', 'wait=nonsense', ''])(
    'waits for the checksum with Prefer: %s',
    async (prefer) => {
      const { client } = server
      const file = someFile(10)
      const { id } = await client.filled(file)

      expect(await client.completed(id, { headers: { Prefer: prefer } })).toMatchObject({ checksum: sha256(file) })
    },
  )
})

describe('a checksum declared at initiate', () => {
  it.each([
    ['in lower case', (file: Buffer) => sha256(file)],
    ['in upper case', (file: Buffer) => sha256(file).toUpperCase()],
  ])('that is right, %s, lets the upload complete', async (_, declared) => {
    const { client } = server
    const file = someFile(10)
    const { id } = await client.filled(file, { chunkSize: 4, checksum: declared(file) })

    expect(await client.completed(id)).toMatchObject({ status: 'uploaded', checksum: sha256(file) })
  })

  it('that is right lets a file of 0 bytes complete', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 0, checksum: sha256('') })

    expect(await client.completed(id)).toMatchObject({ size: 0, checksum: sha256('') })
  })

  it.each([
    ['in order', [0, 1, 2]],
    ['in any order', [1, 2, 0]],
  ])(
    'that is wrong fails the upload whose chunks came %s: 422 CHECKSUM_MISMATCH, then 410 UPLOAD_FAILED',
    async (_, order) => {
      const { client } = server
      const file = someFile(10)
      const { id, fileId } = await client.begin({ fileSize: 10, chunkSize: 4, checksum: sha256('another file') })
      for (const n of order) await client.sent(id, n, chunkOf(file, 4, n))

      const failure = failureOf(await client.complete(id), 422, 'CHECKSUM_MISMATCH')

      expect(failure.message).toContain(sha256(file))
      expect(failure.message).toContain(sha256('another file'))
      failureOf(await client.complete(id), 410, 'UPLOAD_FAILED')
      failureOf(await client.progress(id), 410, 'UPLOAD_FAILED')
      failureOf(await client.resume(id), 410, 'UPLOAD_FAILED')
      failureOf(await client.cancel(id), 410, 'UPLOAD_FAILED')
      failureOf(await client.chunk(id, 0, chunkOf(file, 4, 0)), 410, 'UPLOAD_FAILED')
      const inventory = await server.inventory()
      expect(inventory.filter((name) => name.includes(fileId))).toEqual([])
      expect(inventory).not.toContain(`uploads/${id}/data`)
    },
  )

  it('that is wrong fails a file of 0 bytes', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 0, checksum: sha256('another file') })

    failureOf(await client.complete(id), 422, 'CHECKSUM_MISMATCH')
    failureOf(await client.complete(id), 410, 'UPLOAD_FAILED')
  })

  it('that is wrong is told to each of two that complete at once', async () => {
    const { client } = server
    const { id } = await client.filled(someFile(10), { chunkSize: 4, checksum: sha256('another file') })

    const answers = await Promise.all([client.complete(id), client.complete(id)])

    expect(answers.some(({ status }) => status === 422)).toBe(true)
    for (const answer of answers) {
      if (answer.status === 422) failureOf(answer, 422, 'CHECKSUM_MISMATCH')
      else failureOf(answer, 410, 'UPLOAD_FAILED')
    }
  })

  it('that is wrong stays told after the server was killed and started anew', async () => {
    const { id } = await server.client.filled(someFile(10), { chunkSize: 4, checksum: sha256('another file') })
    failureOf(await server.client.complete(id), 422, 'CHECKSUM_MISMATCH')
    await server.restart()

    failureOf(await server.client.progress(id), 410, 'UPLOAD_FAILED')
  })
})
