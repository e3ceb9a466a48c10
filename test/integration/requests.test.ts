import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { uploadChecksum } from '../support/body-checksums.ts'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { callsOn, nameOf } from '../support/access-calls.ts'
import { startCountedNode } from '../support/counted-node.ts'
import { describeWithRedis } from '../support/services/redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import {
  completed,
  createdId,
  initiated,
  JsonDriver,
  offsetIn,
  storedChunk,
  TusDriver,
} from '../support/upload-drivers.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB
const TIMEOUT = { timeout: 60_000 }

async function serve(options?: Parameters<typeof startCountedNode>[0]) {
  const { asked, wire } = await startCountedNode(options)
  return { asked, wire, tus: new TusDriver(wire), json: new JsonDriver(wire) }
}

describeWithRedis('requests', () => {
  describeWithS3('to S3 and Redis', () => {
    it('are one and two for a chunk over the JSON face', TIMEOUT, async () => {
      const { asked, json } = await serve()
      const bytes = bytesOf(1, 12 * CHUNK)
      const { id } = initiated(await json.initiate(bytes.length, 'a', CHUNK))
      for (let n = 0; n < 12; n += 1) {
        asked.take()
        const chunk = bytes.subarray(n * CHUNK, (n + 1) * CHUNK)
        expect(storedChunk(await json.putChunk(id, n, chunk)).checksum).toBe(sha256Of(chunk))
        // With its first lock the node begins to listen, and looks once whether it was asked before it did.
        if (n > 0) expect(asked.take()).toEqual({ redis: ['evalsha', 'evalsha'], s3: ['UploadPart'] })
      }
      expect(completed(await json.complete(id)).status).toBe('uploaded')
      expect(asked.take().s3.length).toBeLessThanOrEqual(5)
    })

    it('are as many as the parts and five at most for a file in one PATCH', TIMEOUT, async () => {
      const { asked, tus } = await serve()
      const bytes = bytesOf(2, 30 * CHUNK + 7)
      asked.take()
      const id = createdId(await tus.create(bytes.length, 'a'))
      expect(offsetIn(await tus.patch(id, 0, bytes))).toBe(bytes.length)
      const { s3 } = asked.take()
      expect(s3.filter((name) => name === 'UploadPart')).toHaveLength(31)
      expect(s3.length).toBeLessThanOrEqual(31 + 5)
    })

    it('are none to S3 that read a file back for its checksum, where it came in order', TIMEOUT, async () => {
      const { asked, tus, json } = await serve({ fileChecksum: 'full' })
      const bytes = bytesOf(5, 3 * CHUNK + 1000)
      const { id } = initiated(await json.initiate(bytes.length, 'a', CHUNK))
      for (let n = 0; n < 4; n += 1) {
        storedChunk(await json.putChunk(id, n, bytes.subarray(n * CHUNK, (n + 1) * CHUNK)))
      }
      const other = createdId(await tus.create(bytes.length, 'a'))
      const middle = CHUNK + 300_000
      expect(offsetIn(await tus.patch(other, 0, bytes.subarray(0, middle)))).toBe(middle)
      asked.take()
      expect(offsetIn(await tus.patch(other, middle, bytes.subarray(middle)))).toBe(bytes.length)
      // The tail of the first PATCH is read, to go on from it.
      expect(asked.take().s3.filter((name) => name === 'GetObject').length).toBeLessThanOrEqual(1)
      for (const one of [id, other]) expect(completed(await json.complete(one)).checksum).toBe(sha256Of(bytes))
      expect(asked.take().s3).not.toContain('GetObject')
    })

    it('are as many to S3 for a PATCH with a checksum, and two more to Redis', TIMEOUT, async () => {
      const { asked, tus, wire } = await serve()
      const bytes = bytesOf(4, 2 * CHUNK)
      const costs: { readonly redis: number; readonly s3: readonly string[] }[] = []
      for (const checksum of [{}, {}, { 'Upload-Checksum': uploadChecksum(bytes.subarray(0, CHUNK)) }]) {
        const id = createdId(await tus.create(bytes.length, 'a'))
        asked.take()
        const headers = {
          'Tus-Resumable': '1.0.0',
          'Content-Type': 'application/offset+octet-stream',
          'Upload-Offset': '0',
          ...checksum,
        }
        const answer = await wire.send('PATCH', `/files/${id}`, { headers, body: bytes.subarray(0, CHUNK) })
        expect(offsetIn(answer)).toBe(CHUNK)
        const { redis, s3 } = asked.take()
        costs.push({ redis: redis.length, s3 })
      }
      // With its first lock the node begins to listen.
      const [, plain, summed] = costs
      expect(summed).toEqual({ redis: (plain?.redis ?? 0) + 2, s3: ['UploadPart'] })
    })

    it('are three to S3 for a file of one chunk, over either face', TIMEOUT, async () => {
      const { asked, tus, json } = await serve()
      const bytes = bytesOf(3, 50_000)
      asked.take()
      createdId(await tus.create(bytes.length, 'a', bytes))
      expect(asked.take().s3).toEqual(['PutObject', 'PutObject', 'PutObject'])

      const { id } = initiated(await json.initiate(bytes.length, 'a', CHUNK))
      storedChunk(await json.putChunk(id, 0, bytes))
      expect(completed(await json.complete(id)).checksum).toBe(sha256Of(bytes))
      expect(asked.take().s3).toEqual(['PutObject', 'PutObject', 'PutObject'])
    })

    it('are one for a chunk of a final that lies inside of a part, and two or more for one that does not', {
      timeout: 120_000,
    }, async () => {
      const { asked, wire } = await serve()
      const headers = { 'Tus-Resumable': '1.0.0' }
      const part = async (seed: number, size: number) => {
        const body = bytesOf(seed, size)
        const partial = { 'Upload-Concat': 'partial', 'Upload-Length': String(size) }
        const type = { 'Content-Type': 'application/offset+octet-stream' }
        const id = createdId(await wire.send('POST', '/files', { headers: { ...headers, ...partial, ...type }, body }))
        return { id, body }
      }
      const final = async (parts: readonly { readonly id: string; readonly body: Buffer }[]) => {
        const list = parts.map(({ id }) => `/files/${id}`).join(' ')
        asked.take()
        const made = await wire.send('POST', '/files', { headers: { ...headers, 'Upload-Concat': `final;${list}` } })
        expect(made.status).toBe(201)
        const { s3 } = asked.take()
        const file = await wire.send('GET', String(made.headers['location']))
        expect(sha256Of(file.body)).toBe(sha256Of(Buffer.concat(parts.map(({ body }) => body))))
        return s3.toSorted()
      }
      const times = (count: number, name: string) => Array.from({ length: count }, () => name)
      // It is looked whether the file was made before; manifest, `completing` and record are objects of ours.
      const always = ['GetObject', 'CreateMultipartUpload', ...times(3, 'PutObject'), 'CompleteMultipartUpload']
      const [three, one, some] = [await part(5, 3 * CHUNK), await part(6, CHUNK), await part(7, MIB)]

      // Every chunk lies in one part.
      const inner = [...always, ...times(5, 'UploadPartCopy'), 'ListParts']
      expect(await final([three, one, some])).toEqual(inner.toSorted())
      // Two chunks lie in two parts each; the last is cut out of an object that is too small to copy from.
      const borders = [...times(2, 'UploadPartCopy'), 'ListParts', ...times(5, 'GetObject'), ...times(3, 'UploadPart')]
      expect(await final([some, three, one])).toEqual([...always, ...borders].toSorted())
      // 34 chunks are more than are copied before it is asked for their digests.
      const many = [...always, ...times(34, 'UploadPartCopy'), ...times(2, 'ListParts')]
      expect(await final([...Array.from({ length: 11 }, () => three), one])).toEqual(many.toSorted())
    })

    it('are the same for another’s upload as for none', TIMEOUT, async () => {
      const { asked, wire } = await startCountedNode({
        authenticate: ({ headers }) => ({ id: String(headers['x-user']) }),
      })
      const ann = { 'X-User': 'ann', 'Content-Type': 'application/json' }
      const initiate = Buffer.from('{"fileName":"a","fileSize":5}')
      const begin = async () =>
        initiated(await wire.send('POST', '/api/v1/uploads/initiate', { headers: ann, body: initiate }))
      const [begun, done] = [await begin(), await begin()]
      for (const { method, path, headers, body } of callsOn(done).slice(2, 4)) {
        const sent = {
          headers: { ...headers, 'X-User': 'ann' },
          ...(body === undefined ? {} : { body: Buffer.from(body) }),
        }
        expect((await wire.send(method, path, sent)).status).toBe(200)
      }
      const none = { id: randomUUID(), fileId: randomUUID() }
      const onNone = callsOn(none)
      for (const ids of [begun, done]) {
        for (const [n, { method, path, headers, body }] of callsOn(ids).entries()) {
          const sent = {
            headers: { ...headers, 'X-User': 'eve' },
            ...(body === undefined ? {} : { body: Buffer.from(body) }),
          }
          const costs = []
          for (const target of [onNone[n]?.path ?? '', path]) {
            asked.take()
            expect((await wire.send(method, target, sent)).status).toBe(404)
            costs.push(asked.take())
          }
          expect(costs[1], nameOf({ method, path, headers })).toEqual(costs[0])
          expect(costs[0]?.s3.length).toBeGreaterThan(0)
        }
      }
    })
  })
})
