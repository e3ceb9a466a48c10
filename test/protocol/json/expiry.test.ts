import { beforeAll, describe, expect, it, vi } from 'vitest'
import { chunkOf, failureOf, sha256, someFile } from '../../support/json-client.ts'
import { type JsonServer, useJsonServer } from './use-json-server.ts'

const POLL = { timeout: 15_000, interval: 50 }

/** Waits until an upload has expired; does something to another one meanwhile, as often as it looks. */
async function hasExpired(server: JsonServer, id: string, meanwhile: () => Promise<unknown> = async () => {}) {
  await vi.waitUntil(async () => {
    await meanwhile()
    return (await server.client.progress(id)).status !== 200
  }, POLL)
}

const lifeMs = (expiresAt: string): number => Date.parse(expiresAt) - Date.now()

describe('an upload that expires after 2 s', () => {
  const server = useJsonServer({ EXPIRES_AFTER: '2s' })
  const bytes = someFile(4)
  let expired = ''
  let fileId = ''

  beforeAll(async () => {
    const begun = await server.client.begin({ fileSize: 8, chunkSize: 4 })
    expired = begun.id
    fileId = begun.fileId
    expect(lifeMs(begun.expiresAt)).toBeLessThanOrEqual(2000)
    await server.client.sent(expired, 0, bytes)
    await hasExpired(server, expired)
  })

  it('answers everything with 410 UPLOAD_EXPIRED', async () => {
    const { client } = server

    failureOf(await client.progress(expired), 410, 'UPLOAD_EXPIRED')
    failureOf(await client.call('GET', client.target(expired)), 410, 'UPLOAD_EXPIRED')
    failureOf(await client.chunk(expired, 0, bytes), 410, 'UPLOAD_EXPIRED')
    failureOf(await client.chunk(expired, 1, bytes), 410, 'UPLOAD_EXPIRED')
    failureOf(await client.complete(expired), 410, 'UPLOAD_EXPIRED')
    failureOf(await client.resume(expired), 410, 'UPLOAD_EXPIRED')
    failureOf(await client.cancel(expired), 410, 'UPLOAD_EXPIRED')
  })

  it('leaves none of its bytes', async () => {
    await expect
      .poll(async () => (await server.inventory()).filter((name) => name === `uploads/${expired}/data`), POLL)
      .toEqual([])
    expect((await server.inventory()).filter((name) => name.includes(fileId))).toEqual([])
  })

  it.concurrent('expires and loses its bytes also when nobody asks for it', async () => {
    const { id } = await server.client.begin({ fileSize: 8, chunkSize: 4 })
    await server.client.sent(id, 0, bytes)
    expect(await server.inventory()).toContain(`uploads/${id}/data`)

    await expect.poll(() => server.inventory(), POLL).not.toContain(`uploads/${id}/data`)

    failureOf(await server.client.progress(id), 410, 'UPLOAD_EXPIRED')
  })

  it.concurrent('lives on while it is resumed', async () => {
    const { client } = server
    const [resumed, left] = await Promise.all([client.begin({ fileSize: 4 }), client.begin({ fileSize: 4 })])

    await hasExpired(server, left.id, () => client.resumed(resumed.id))

    const { expiresAt } = await client.progressed(resumed.id)
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.parse(resumed.expiresAt))
  })

  it.concurrent('lives on while chunks come, and each says until when', async () => {
    const { client } = server
    const file = someFile(1000)
    const [fed, left] = await Promise.all([
      client.begin({ fileSize: 1000, chunkSize: 1 }),
      client.begin({ fileSize: 1000, chunkSize: 1 }),
    ])
    const ends: number[] = []

    await hasExpired(server, left.id, async () => {
      const { expiresAt } = await client.sent(fed.id, ends.length, chunkOf(file, 1, ends.length))
      ends.push(Date.parse(expiresAt))
    })

    expect(ends).toEqual(ends.toSorted((a, b) => a - b))
    expect(ends.at(-1)).toBeGreaterThan(Date.parse(fed.expiresAt))
    expect(await client.progressed(fed.id)).toMatchObject({ uploadedBytes: ends.length })
  })

  it.concurrent('lives on while the body of a chunk is on its way', async () => {
    const { client } = server
    const [busy, left] = await Promise.all([client.begin({ fileSize: 100_000 }), client.begin({ fileSize: 4 })])
    const file = someFile(100_000)
    const open = client.openChunk(busy.id, 0, 100_000)
    let at = 0

    await hasExpired(server, left.id, async () => {
      await open.write(file.subarray(at, at + 10))
      at += 10
    })

    const answer = await open.end(file.subarray(at))
    expect(answer.status).toBe(200)
    expect(await client.completed(busy.id)).toMatchObject({ checksum: sha256(file) })
  })

  it.concurrent('keeps a finished file', async () => {
    const { client } = server
    const file = someFile(4)
    const [finished, left] = await Promise.all([client.filled(file), client.begin({ fileSize: 4 })])
    const answer = await client.completed(finished.id)

    await hasExpired(server, left.id)

    expect(await client.completed(finished.id)).toEqual(answer)
    expect(await client.progressed(finished.id)).toMatchObject({ status: 'uploaded' })
    expect((await server.storedFile(finished.fileId)).equals(file)).toBe(true)
  })

  it('answers 410 UPLOAD_EXPIRED still after the server was killed and started anew', async () => {
    await server.restart()

    failureOf(await server.client.progress(expired), 410, 'UPLOAD_EXPIRED')
  })
})

describe('an upload that lives for 2 s at most', () => {
  const server = useJsonServer({ EXPIRES_AFTER: '1h', MAX_LIFETIME: '2s' })

  it('expires then, however often it is resumed and fed', async () => {
    const { client } = server
    const { id, expiresAt } = await client.begin({ fileSize: 1000, chunkSize: 1 })
    expect(lifeMs(expiresAt)).toBeLessThanOrEqual(2000)
    const until = Date.parse(expiresAt)
    let sent = 0

    await vi.waitUntil(async () => {
      const answers = [await client.resume(id), await client.chunk(id, sent, someFile(1))]
      sent += 1
      for (const { status, json } of answers) {
        if (status === 200) expect(json).toMatchObject({ data: { expiresAt } })
      }
      return answers.every(({ status }) => status === 410)
    }, POLL)

    expect(Date.now()).toBeGreaterThanOrEqual(until)
    expect(sent).toBeGreaterThan(1)
    failureOf(await client.progress(id), 410, 'UPLOAD_EXPIRED')
  })
})
