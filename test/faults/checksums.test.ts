import { ListMultipartUploadsCommand, ListObjectsV2Command, ListPartsCommand, S3Client } from '@aws-sdk/client-s3'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { uploadChecksum } from '../support/body-checksums.ts'
import { bytesOf } from '../support/byte-source.ts'
import { sharedVariables } from '../support/cluster.ts'
import { startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket, s3Service } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'
import { OFFSET_OCTET_STREAM, sha256, TusClient } from '../support/tus-client.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB
const TIMEOUT = { timeout: 120_000 }
const data = bytesOf(77, 3 * CHUNK + 12_345)
/** Where a tail ends that is there before. */
const AT = 700_000

/** A storage, and all that lies in it. */
interface Ground {
  readonly variables: Readonly<Record<string, string>>
  readonly dataDir: string
  readonly spoolDir: string
  readonly inventory: () => Promise<readonly string[]>
}

async function onDisk(): Promise<Ground> {
  const dataDir = await tempDir()
  return { variables: {}, dataDir, spoolDir: await tempDir(), inventory: async () => [] }
}

async function inBucket(): Promise<Ground> {
  const bucket = await newBucket()
  const client = new S3Client(s3Service())
  onTestFinished(() => client.destroy())
  const variables = { ...sharedVariables(redisService().url, bucket), REDIS_PREFIX: `${bucket}:` }
  return {
    variables,
    dataDir: await tempDir(),
    spoolDir: await tempDir(),
    inventory: () => everythingIn(client, bucket),
  }
}

/** Every object with its size, and every part of a multipart upload. */
async function everythingIn(client: S3Client, bucket: string): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  const parts = Uploads.map(async ({ Key, UploadId }) => {
    const { Parts = [] } = await client.send(new ListPartsCommand({ Bucket: bucket, Key, UploadId }))
    return [`multipart ${Key}`, ...Parts.map(({ PartNumber, ETag }) => `part ${PartNumber} ${ETag}`)]
  })
  return [...Contents.map(({ Key, Size }) => `${Key} ${Size}`), ...(await Promise.all(parts)).flat()].toSorted()
}

async function serve({ variables, dataDir, spoolDir }: Ground) {
  const server = await startServerProcess(dataDir, { ...variables, SPOOL_DIR: spoolDir, MEMORY_BUDGET: '8MiB' })
  onTestFinished(async () => void (await server.kill()))
  return { ...server, client: new TusClient(server.url) }
}

/** What everybody is told of an upload. */
async function toldOf({ client, url }: Awaited<ReturnType<typeof serve>>, path: string) {
  const answer = await fetch(`${url}/api/v1/uploads/${path.split('/').at(-1)}/progress`)
  const { data: progress } = (await answer.json()) as { readonly data: Readonly<Record<string, unknown>> }
  const { uploadedBytes, missingChunks, status } = progress
  return { offset: await client.offset(path), uploadedBytes, missingChunks, status }
}

/** Sends all of a chunked body but its end, behind which a checksum was to come. */
async function sendWithoutEnd(url: string, path: string, body: Buffer): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  const head = [
    `PATCH ${path} HTTP/1.1`,
    `Host: ${hostname}`,
    'Tus-Resumable: 1.0.0',
    `Content-Type: ${OFFSET_OCTET_STREAM}`,
    `Upload-Offset: ${AT}`,
    'Transfer-Encoding: chunked',
    'Trailer: Upload-Checksum',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body.length.toString(16)}\r\n`)
  await new Promise<void>((resolve, reject) => {
    socket.write(body, (error) => (error == null ? resolve() : reject(error)))
  })
  socket.write('\r\n')
  return socket
}

/** Resolves when the server has read what stands in its sockets: it answers others that came later. */
async function hasRead(url: string): Promise<void> {
  for (let n = 0; n < 5; n += 1) expect((await fetch(`${url}/healthz`)).status).toBe(200)
}

describeWithRedis('with Redis', () =>
  describeWithS3('and S3', () => {
    describe.each([
      ['disk', onDisk],
      ['S3 and Redis', inBucket],
    ] as const)('a body with a checksum, on %s', (_where, prepare) => {
      async function begin() {
        const ground = await prepare()
        const server = await serve(ground)
        const path = await server.client.create(data.length)
        expect((await server.client.patch(path, 0, data.subarray(0, AT))).status).toBe(204)
        return { ground, server, path, told: await toldOf(server, path), there: await ground.inventory() }
      }

      it('that is received whole when the server is killed, and not verified, was never there', TIMEOUT, async () => {
        const { ground, server, path, told, there } = await begin()
        const body = data.subarray(AT, 3 * CHUNK)
        await sendWithoutEnd(server.url, path, body)
        await hasRead(server.url)
        // It is held apart: nothing of it is told to anybody, or lies where a recovery would look.
        expect(await toldOf(server, path)).toEqual(told)
        expect(await ground.inventory()).toEqual(there)
        await server.kill('SIGKILL')

        const next = await serve(ground)
        expect(await toldOf(next, path)).toEqual(told)
        expect(await ground.inventory()).toEqual(there)
        // What it was held in had no name.
        expect(await readdir(ground.spoolDir)).toEqual([])
        const headers = { 'Upload-Checksum': uploadChecksum(body) }
        const answer = await next.client.patch(path, AT, body, { headers })
        expect([answer.status, answer.headers['upload-offset']]).toEqual([204, String(3 * CHUNK)])
        expect((await next.client.patch(path, 3 * CHUNK, data.subarray(3 * CHUNK))).status).toBe(204)
        const got = await next.client.request('GET', path)
        expect(sha256(got.body)).toBe(sha256(data))
      })

      it('across three chunks that is wrong leaves no part, segment or object behind', TIMEOUT, async () => {
        const { ground, server, path, told, there } = await begin()
        const body = data.subarray(AT)
        for (const chunked of [false, true]) {
          const headers = { 'Upload-Checksum': uploadChecksum(Buffer.from('something else')) }
          expect((await server.client.patch(path, AT, body, { chunked, headers })).status).toBe(460)
          expect(await toldOf(server, path)).toEqual(told)
          expect(await ground.inventory()).toEqual(there)
        }
        expect(await readdir(ground.spoolDir)).toEqual([])
        const headers = { 'Upload-Checksum': uploadChecksum(body, 'crc32') }
        expect((await server.client.patch(path, AT, body, { headers })).status).toBe(204)
        const got = await server.client.request('GET', path)
        expect(sha256(got.body)).toBe(sha256(data))
        expect(server.output()).not.toMatch(/"level":(50|60)/)
      })

      it('over a chunk with which another face was faster changes nothing where it is wrong', TIMEOUT, async () => {
        const { ground, server, path } = await begin()
        const sent = await fetch(`${server.url}/api/v1/uploads/${path.split('/').at(-1)}/chunks`, {
          method: 'POST',
          headers: { 'X-Chunk-Number': '1', 'Content-Type': 'application/octet-stream' },
          body: data.subarray(CHUNK, 2 * CHUNK),
        })
        expect(sent.status).toBe(200)
        const [told, there] = [await toldOf(server, path), await ground.inventory()]
        const body = data.subarray(AT)
        const wrong = { 'Upload-Checksum': uploadChecksum(Buffer.from('something else'), 'sha256') }
        expect((await server.client.patch(path, AT, body, { headers: wrong })).status).toBe(460)
        expect(await toldOf(server, path)).toEqual(told)
        expect(await ground.inventory()).toEqual(there)
        const right = { 'Upload-Checksum': uploadChecksum(body, 'sha256') }
        expect((await server.client.patch(path, AT, body, { headers: right })).status).toBe(204)
        expect(sha256((await server.client.request('GET', path)).body)).toBe(sha256(data))
      })

      it('that is cut leaves none either, and the server goes on', TIMEOUT, async () => {
        const { ground, server, path, told, there } = await begin()
        const socket = await sendWithoutEnd(server.url, path, data.subarray(AT, 3 * CHUNK))
        socket.destroy()
        await hasRead(server.url)
        expect(await toldOf(server, path)).toEqual(told)
        expect(await ground.inventory()).toEqual(there)
        expect(await server.kill('SIGTERM')).toBe(0)
      })
    })
  }),
)
