import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { DetailedError } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { idOf } from '../protocol/tus/running-server.ts'
import { sharedVariables } from '../support/cluster.ts'
import { offsetLetThrough, startCuttingProxy } from '../support/cutting-proxy.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket, s3Service } from '../support/services/s3.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { sha256, TusClient } from '../support/tus-client.ts'
import { JsonClient } from './json-client.ts'
import { tusJsUpload } from './tus-js.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB
const data = randomBytes(2 * CHUNK + 12_345)

const COMBINATIONS = [
  ['file', 'memory'],
  ['file', 'Redis'],
  ['S3', 'memory'],
  ['S3', 'Redis'],
] as const

interface Place {
  readonly server: ServerProcess
  /** Null where files are on disk. */
  readonly bucket: string | null
}

async function start(storage: 'file' | 'S3', state: 'memory' | 'Redis'): Promise<Place> {
  const bucket = storage === 'S3' ? await newBucket() : null
  const shared = sharedVariables(redisService().url, bucket ?? '')
  const { REDIS_URL = '', ...s3 } = shared
  const server = await startServerProcess(await makeTempDir(), {
    ...(bucket === null ? {} : s3),
    ...(state === 'memory' ? {} : { REDIS_URL, REDIS_PREFIX: `combination-${storage}-${process.pid}:` }),
  })
  return { server, bucket }
}

/** Keys of a bucket below the folder of finished files. */
async function filesIn(bucket: string): Promise<string[]> {
  const client = new S3Client(s3Service())
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'holdfast/files/' }))
  client.destroy()
  return Contents.map(({ Key = '' }) => Key)
}

describeWithRedis('with Redis', () =>
  describeWithS3('and S3', () => {
    describe.each(COMBINATIONS)('%s storage and state in %s', { timeout: 60_000 }, (storage, state) => {
      let place: Place
      const url = (): string => place.server.url
      const json = (): JsonClient => new JsonClient(url())

      beforeAll(async () => {
        place = await start(storage, state)
      })

      afterAll(async () => {
        expect(await place.server.kill('SIGTERM')).toBe(0)
        expect(place.server.output()).not.toMatch(/"level":(50|60)/)
      })

      async function expectFile(uploadUrl: string, bytes: Buffer): Promise<void> {
        const path = `/files/${idOf(uploadUrl)}`
        const got = await new TusClient(url()).request('GET', path)
        expect([got.status, sha256(got.body)]).toEqual([200, sha256(bytes)])
        const head = await new TusClient(url()).request('HEAD', path)
        expect(head.headers['upload-offset']).toBe(String(bytes.length))
      }

      it('takes a file from tus-js-client, cut in mid-chunk, and no byte twice', async () => {
        const through = await startCuttingProxy(url())
        onTestFinished(() => through.close())
        const cut = through.cutAfter(CHUNK + 2 * MIB)
        const { upload, run, requests } = tusJsUpload(data, {
          endpoint: `${through.url}/files`,
          metadata: { filename: 'ä.bin', filetype: 'video/mp4' },
          retryDelays: [0, 100, 100],
          onBeforeRequest: async (request) => {
            if (request.getMethod() !== 'HEAD') return
            // What had reached the server is what counts: it may still be on its way.
            const had = offsetLetThrough(await cut)
            const known = async () => (await json().progress(idOf(upload.url ?? ''))).data['uploadedBytes']
            await expect.poll(known, { timeout: 10_000 }).toBe(had)
          },
        })
        await expectFile(await run(), data)
        const had = offsetLetThrough(await cut)
        const offsets = requests.filter(({ method }) => method === 'PATCH').map(({ offset }) => offset)
        expect(offsets).toEqual([0, had])
      })

      it('takes a file begun by one face and finished by the other, either way', async () => {
        const { data: begun } = await json().initiate({ fileName: 'a.bin', fileSize: data.length })
        const id = String(begun['id'])
        expect((await json().chunk(id, 1, data, CHUNK)).status).toBe(200)
        const { run, requests } = tusJsUpload(data, { uploadUrl: `${url()}/files/${id}` })
        await run()
        expect(requests.at(-1)).toMatchObject({ method: 'PATCH', offset: 0, status: 204, answered: data.length })
        await expectFile(id, data)

        const other = tusJsUpload(data, { endpoint: `${url()}/files`, chunkSize: CHUNK + 1000 })
        other.upload.options.onChunkComplete = () => void other.upload.abort()
        await Promise.race([
          other.run().catch(() => {}),
          expect.poll(() => other.requests.at(-1)?.answered, { timeout: 10_000 }).toBe(CHUNK + 1000),
        ])
        const otherId = idOf(other.upload.url ?? '')
        const { data: resumed } = await json().resume(otherId)
        expect(resumed).toMatchObject({ uploadedBytes: CHUNK + 1000, nextChunkNumber: 1 })
        for (const n of [2, 1]) expect((await json().chunk(otherId, n, data, CHUNK)).code).toBeNull()
        const { data: done } = await json().complete(otherId)
        expect(done).toMatchObject({ status: 'uploaded', checksum: sha256(data) })
        // A chunk that comes again, and `complete` again, are answered as before.
        expect((await json().chunk(otherId, 1, data, CHUNK)).status).toBe(200)
        expect((await json().complete(otherId)).data).toEqual(done)
        await expectFile(otherId, data)
      })

      it.each([
        ['nothing', 0],
        ['one byte', 1],
        ['exactly a chunk', CHUNK],
        ['exactly two chunks', 2 * CHUNK],
      ])('takes a file of %s over both faces', async (_what, size) => {
        const bytes = data.subarray(0, size)
        await expectFile(await tusJsUpload(bytes, { endpoint: `${url()}/files` }).run(), bytes)
        const { data: begun } = await json().initiate({ fileName: 'a', fileSize: size, checksum: sha256(bytes) })
        const id = String(begun['id'])
        for (let n = 0; n * CHUNK < size; n += 1) expect((await json().chunk(id, n, bytes, CHUNK)).code).toBeNull()
        expect((await json().complete(id)).data).toMatchObject({ status: 'uploaded', checksum: sha256(bytes), size })
        await expectFile(id, bytes)
      })

      it.each([
        ['that ends in mid-chunk', CHUNK + MIB],
        ['that ends with a chunk', 2 * CHUNK],
        ['smaller than a chunk', 1000],
      ])('takes a stream of unknown length %s', async (_what, size) => {
        const bytes = data.subarray(0, size)
        const source = Readable.from([bytes], { objectMode: false })
        const options = { endpoint: `${url()}/files`, uploadLengthDeferred: true, chunkSize: 3 * MIB + 7 }
        await expectFile(await tusJsUpload(source, options).run(), bytes)
      })

      it('fails a file that is not what was declared, and leaves nothing of it', async () => {
        const before = place.bucket === null ? [] : await filesIn(place.bucket)
        const declared = { fileName: 'a', fileSize: data.length, checksum: sha256(Buffer.from('something else')) }
        const id = String((await json().initiate(declared)).data['id'])
        for (let n = 0; n < 3; n += 1) await json().chunk(id, n, data, CHUNK)
        expect((await json().complete(id)).code).toBe('CHECKSUM_MISMATCH')
        expect((await json().progress(id)).code).toBe('UPLOAD_FAILED')
        if (place.bucket !== null) expect(await filesIn(place.bucket)).toEqual(before)
      })

      it('cancels in the middle and removes what was finished, and tells so on both faces', async () => {
        const before = place.bucket === null ? [] : await filesIn(place.bucket)
        const finished = idOf(await tusJsUpload(data, { endpoint: `${url()}/files` }).run())
        const begun = String((await json().initiate({ fileName: 'a', fileSize: data.length })).data['id'])
        await json().chunk(begun, 0, data, CHUNK)
        const tus = new TusClient(url())
        for (const id of [finished, begun]) {
          expect((await tus.request('DELETE', `/files/${id}`)).status).toBe(204)
          expect((await tus.request('HEAD', `/files/${id}`)).status).toBe(410)
          expect((await json().progress(id)).code).toBe('UPLOAD_CANCELLED')
        }
        await expect(tusJsUpload(data, { uploadUrl: `${url()}/files/${begun}` }).run()).rejects.toBeInstanceOf(
          DetailedError,
        )
        if (place.bucket !== null) expect(await filesIn(place.bucket)).toEqual(before)
      })

      it('gives out a part of a file', async () => {
        const path = `/files/${idOf(await tusJsUpload(data, { endpoint: `${url()}/files` }).run())}`
        const headers = { Range: `bytes=${CHUNK - 3}-${CHUNK + 2}` }
        const got = await new TusClient(url()).request('GET', path, { headers })
        expect([got.status, got.body.equals(data.subarray(CHUNK - 3, CHUNK + 3))]).toEqual([206, true])
      })
    })
  }),
)
