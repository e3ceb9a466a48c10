import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type OpenTusRequest, sha256 } from '../../support/tus-client.ts'
import { CHUNK, useServer } from './running-server.ts'

/** Far below the 10 s that a lock is waited for and the 60 s after which an idle body is ended. */
const AT_ONCE_MS = 3000

describe('Two requests on one upload', () => {
  const server = useServer()
  const data = randomBytes(5 * CHUNK + 321)

  /** A PATCH that has brought `bytes` and then brings nothing more. */
  async function stall(path: string, bytes: number): Promise<OpenTusRequest> {
    const live = server.client.openPatch(path, 0, data.length)
    await live.write(data.subarray(0, bytes))
    await expect.poll(() => server.received(path), { interval: 10 }).toBe(bytes)
    return live
  }

  async function expectFile(path: string, bytes: Buffer): Promise<void> {
    expect(sha256((await server.fileOf(path)) ?? Buffer.from('none'))).toBe(sha256(bytes))
  }

  it.each([
    ['in the first chunk', 4321],
    ['at the end of a chunk', 2 * CHUNK],
    ['in a later chunk', 3 * CHUNK + 17],
  ])('a HEAD makes a PATCH that stalls %s let go at once, and all it has sent is kept', async (_, bytes) => {
    const path = await server.client.create(data.length)
    const live = await stall(path, bytes)
    const begun = performance.now()
    const head = await server.client.head(path)
    expect(performance.now() - begun).toBeLessThan(AT_ONCE_MS)
    expect(head.status).toBe(200)
    // "The Server SHOULD always attempt to store as much of the received data as possible."
    expect(head.headers['upload-offset']).toBe(String(bytes))
    const answer = await live.answer
    expect(answer.status).toBe(423)
    expect(answer.headers).toHaveProperty('retry-after')
    live.cut()
    expect((await server.client.patch(path, bytes, data.subarray(bytes))).status).toBe(204)
    await expectFile(path, data)
  })

  it('a second PATCH makes a PATCH that stalls let go at once, and is told the offset', async () => {
    const path = await server.client.create(data.length)
    const live = await stall(path, CHUNK + 9)
    const begun = performance.now()
    const second = await server.client.patch(path, CHUNK, data.subarray(CHUNK))
    expect(performance.now() - begun).toBeLessThan(AT_ONCE_MS)
    expect(second.status).toBe(409)
    expect((await live.answer).status).toBe(423)
    live.cut()
    expect(second.headers['upload-offset']).toBe(String(CHUNK + 9))
    expect((await server.client.patch(path, CHUNK + 9, data.subarray(CHUNK + 9))).status).toBe(204)
    await expectFile(path, data)
  })

  it.each([
    ['in mid-chunk', CHUNK + 9],
    ['at the end of a chunk', 2 * CHUNK],
  ])('a second PATCH takes over at the very byte where another stalls, %s', async (_, bytes) => {
    const path = await server.client.create(data.length)
    const live = await stall(path, bytes)
    // "The Upload-Offset header's value MUST be equal to the current offset of the resource." It is, once the first lets go.
    const second = await server.client.patch(path, bytes, data.subarray(bytes))
    expect(second.status).toBe(204)
    expect((await live.answer).status).toBe(423)
    live.cut()
    await expectFile(path, data)
  })

  it('a second PATCH at a wrong offset is told the offset that counts what another has sent', async () => {
    const path = await server.client.create(data.length)
    const live = await stall(path, CHUNK + 9)
    const second = await server.client.patch(path, 5, data.subarray(5))
    expect(second.status).toBe(409)
    expect(second.headers['upload-offset']).toBe(String(CHUNK + 9))
    expect((await live.answer).status).toBe(423)
    live.cut()
    await expect(server.client.offset(path)).resolves.toBe(CHUNK + 9)
  })

  it('a PATCH that is let go does not come back with the rest of its body', async () => {
    const path = await server.client.create(data.length)
    const live = await stall(path, 100)
    await expect(server.client.offset(path)).resolves.toBe(100)
    await live.answer
    await live.write(randomBytes(CHUNK)).catch(() => {})
    live.cut()
    await expect(server.client.offset(path)).resolves.toBe(100)
    expect((await server.client.patch(path, 100, data.subarray(100))).status).toBe(204)
    await expectFile(path, data)
  })

  it('of two PATCHes at one offset exactly one wins, and the file is its file', async () => {
    for (let round = 0; round < 10; round += 1) {
      const path = await server.client.create(1000)
      const bodies = [randomBytes(1000), randomBytes(1000)] as const
      const answers = await Promise.all(bodies.map((body) => server.client.patch(path, 0, body)))
      const statuses = answers.map(({ status }) => status)
      expect(statuses.filter((status) => status === 204)).toHaveLength(1)
      expect([409, 423]).toContain(statuses.find((status) => status !== 204))
      await expectFile(path, bodies[statuses.indexOf(204)] ?? Buffer.alloc(0))
    }
  })

  it('of two long PATCHes at one offset the bytes of one stand, and it can be resumed', async () => {
    const path = await server.client.create(data.length)
    const other = randomBytes(data.length)
    const answers = await Promise.all([data, other].map((body) => server.client.patch(path, 0, body)))
    for (const { status } of answers) expect([204, 409, 423]).toContain(status)
    expect(answers.filter(({ status }) => status === 204).length).toBeLessThanOrEqual(1)
    const offset = await server.client.offset(path)
    const stored = await Promise.all([data, other].map((body) => finish(body)))
    expect(stored.filter(Boolean)).toHaveLength(1)

    async function finish(body: Buffer): Promise<boolean> {
      if (offset < body.length) await server.client.patch(path, offset, data.subarray(offset))
      const file = (await server.fileOf(path)) ?? Buffer.alloc(0)
      return file.subarray(0, offset).equals(body.subarray(0, offset))
    }
  })

  it('HEADs on an upload that receives a whole body all tell a true offset', async () => {
    const path = await server.client.create(data.length)
    const [answer, ...offsets] = await Promise.all([
      server.client.patch(path, 0, data),
      ...Array.from({ length: 5 }, () => server.client.offset(path)),
    ])
    expect([204, 423]).toContain(answer.status)
    const now = await server.client.offset(path)
    for (const offset of offsets) expect(offset).toBeLessThanOrEqual(now)
    if (now < data.length) expect((await server.client.patch(path, now, data.subarray(now))).status).toBe(204)
    await expectFile(path, data)
  })
})
