import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type PreviousUpload, Upload, type UrlStorage } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { idOf } from '../protocol/tus/running-server.ts'
import { sharedVariables } from '../support/cluster.ts'
import { concatenate, createPart } from '../support/concatenation.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket } from '../support/services/s3.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { sha256, TusClient } from '../support/tus-client.ts'
import { JsonClient } from './json-client.ts'
import { tusJsUpload } from './tus-js.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB

const COMBINATIONS = [
  ['file', 'memory'],
  ['file', 'Redis'],
  ['S3', 'memory'],
  ['S3', 'Redis'],
] as const

/** Where tus-js-client keeps what it goes on with, as browsers have it. */
function storageIn(stored: PreviousUpload[]): UrlStorage {
  return {
    findAllUploads: async () => stored,
    findUploadsByFingerprint: async () => stored,
    removeUpload: async () => {},
    addUpload: async (_fingerprint, upload) => {
      stored.push(upload)
      return 'the key'
    },
  }
}

describeWithRedis('with Redis', () =>
  describeWithS3('and S3', () => {
    describe.each(COMBINATIONS)('%s storage and state in %s', { timeout: 120_000 }, (storage, state) => {
      let server: ServerProcess
      let dataDir: string
      const client = (): TusClient => new TusClient(server.url)

      beforeAll(async () => {
        const bucket = storage === 'S3' ? await newBucket() : null
        dataDir = await makeTempDir()
        const { REDIS_URL = '', ...s3 } = sharedVariables(redisService().url, bucket ?? '')
        server = await startServerProcess(dataDir, {
          ...(bucket === null ? {} : s3),
          ...(state === 'memory' ? {} : { REDIS_URL, REDIS_PREFIX: `concatenation-${storage}-${process.pid}:` }),
        })
      })

      afterAll(async () => {
        expect(await server.kill('SIGTERM')).toBe(0)
        expect(server.output()).not.toMatch(/"level":(50|60)/)
      })

      async function expectFile(path: string, bytes: Buffer): Promise<void> {
        const head = await client().head(path)
        expect(head.headers).toMatchObject({
          'upload-offset': String(bytes.length),
          'upload-length': String(bytes.length),
        })
        const got = await client().request('GET', path)
        expect([got.status, got.body.length, sha256(got.body)]).toEqual([200, bytes.length, sha256(bytes)])
      }

      it.each([
        ['1 byte, 5 MiB − 1, 5 MiB and 10 MiB', [1, CHUNK - 1, CHUNK, 2 * CHUNK]],
        ['10 MiB, 5 MiB, 5 MiB − 1 and 1 byte', [2 * CHUNK, CHUNK, CHUNK - 1, 1]],
        ['5 MiB − 1, 10 MiB, 1 byte and 5 MiB', [CHUNK - 1, 2 * CHUNK, 1, CHUNK]],
        ['many small ones', [1, 2, 3, 1000, 70_000, 1, MIB, 5]],
        ['a small one at the end of a chunk', [CHUNK - 3, 3, CHUNK, 2]],
      ])('makes a file of partial uploads of %s', async (_, sizes) => {
        const all = sizes.map((size) => randomBytes(size))
        const parts = await Promise.all(all.map((bytes) => createPart(client(), bytes)))
        const created = await concatenate(client(), parts)
        expect([created.status, created.body.toString()]).toEqual([201, ''])
        const path = client().locationOf(created)
        const bytes = Buffer.concat(all)
        await expectFile(path, bytes)
        // Its chunks are on its own grid, with their digests: a JSON client's complete tells the file's.
        const { data } = await new JsonClient(server.url).complete(idOf(path))
        expect(data).toMatchObject({ status: 'uploaded', size: bytes.length, checksum: sha256(bytes) })
        expect(client().locationOf(await concatenate(client(), parts))).toBe(path)
        for (const part of parts) expect((await client().request('DELETE', part)).status).toBe(204)
        await expectFile(path, bytes)
        expect((await client().request('DELETE', path)).status).toBe(204)
      })

      it.each([2, 8])('takes a file from tus-js-client in %i parallel uploads', async (parallelUploads) => {
        const data = randomBytes(13 * MIB + 12_345)
        const { run, requests } = tusJsUpload(data, {
          endpoint: `${server.url}/files`,
          parallelUploads,
          metadata: { filename: 'ä.bin', filetype: 'video/mp4' },
        })
        const url = await run()
        expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(parallelUploads + 1)
        expect(requests.filter(({ method }) => method === 'PATCH')).toHaveLength(parallelUploads)
        await expectFile(new URL(url).pathname, data)
        const { headers } = await client().request('HEAD', new URL(url).pathname)
        expect(headers['upload-metadata']).toContain('filename')
      })

      it('goes on with parallel uploads that were paused, where each of them was', async () => {
        const data = randomBytes(8 * MIB + 7)
        const stored: PreviousUpload[] = []
        const options = {
          endpoint: `${server.url}/files`,
          parallelUploads: 4,
          chunkSize: MIB / 2,
          fingerprint: async () => 'the file',
          urlStorage: storageIn(stored),
        }
        const answered: string[] = []
        // (Not by `onBeforeRequest`: what waits in it is sent after an abort all the same.)
        const first = new Upload(data, {
          ...options,
          onAfterResponse: (request, response) => {
            answered.push(`${request.getMethod()} ${response.getStatus()}`)
            if (answered.filter((one) => one === 'PATCH 204').length === 8) void first.abort()
          },
        })
        first.start()
        await expect.poll(() => answered.filter((one) => one === 'PATCH 204').length, { timeout: 30_000 }).toBe(8)

        const seen: string[] = []
        let sent = 0
        const url = await new Promise<string>((resolve, reject) => {
          const second = new Upload(data, {
            ...options,
            onAfterResponse: (request, response) => {
              const method = request.getMethod()
              seen.push(`${method} ${response.getStatus()}`)
              if (method === 'PATCH')
                sent += Number(response.getHeader('Upload-Offset')) - Number(request.getHeader('Upload-Offset'))
            },
            onSuccess: () => resolve(second.url ?? ''),
            onError: reject,
          })
          void second.findPreviousUploads().then(([previous]) => {
            if (previous === undefined) return reject(new Error('There is no upload to go on with.'))
            second.resumeFromPreviousUpload(previous)
            second.start()
          })
        })
        await expectFile(new URL(url).pathname, data)
        expect(seen.filter((one) => one === 'HEAD 200').length).toBeGreaterThanOrEqual(4)
        // All that is created now is the file.
        expect(seen.filter((one) => one.startsWith('POST'))).toEqual(['POST 201'])
        expect(sent).toBeLessThanOrEqual(data.length - 4 * MIB)
      })

      it('leaves nothing of finished files among the uploads but their records', async () => {
        if (storage !== 'file') return
        const parts = [await createPart(client(), randomBytes(CHUNK + 1))]
        const path = client().locationOf(await concatenate(client(), parts))
        expect((await readdir(join(dataDir, 'uploads', idOf(path)))).toSorted()).toEqual(['journal', 'manifest.json'])
      })
    })
  }),
)
