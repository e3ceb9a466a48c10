import { rm } from 'node:fs/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frameworkErrors, holdfast, type HoldfastOptions } from '../../adapters/fastify/index.ts'
import { createUploads, ERRORS, type UploadsOptions } from '../../src/index.ts'
import { type FileLayer, nodeFiles } from '../../src/storage/file/file-layer.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { type Answer, failureOf, JsonClient, otherThan, sha256, someFile } from '../support/json-client.ts'
import { makeTempDir } from '../support/temp-dir.ts'

/** The contract's table of errors: every code that a client of the JSON API can be told, and its status. */
const CONTRACT = {
  INVALID_REQUEST: 400,
  INVALID_CHUNK_NUMBER: 400,
  CHUNK_SIZE_MISMATCH: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  UPLOAD_NOT_FOUND: 404,
  FILE_NOT_FOUND: 404,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  TIMEOUT: 408,
  CHUNKS_MISSING: 409,
  CHUNK_CONFLICT: 409,
  UPLOAD_COMPLETED: 409,
  UPLOAD_EXPIRED: 410,
  UPLOAD_CANCELLED: 410,
  UPLOAD_FAILED: 410,
  PRECONDITION_FAILED: 412,
  FILE_TOO_LARGE: 413,
  QUOTA_EXCEEDED: 413,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RANGE_NOT_SATISFIABLE: 416,
  CHECKSUM_MISMATCH: 422,
  IDEMPOTENCY_KEY_REUSED: 422,
  UPLOAD_LOCKED: 423,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  STORAGE_UNAVAILABLE: 503,
  STATE_UNAVAILABLE: 503,
  DRAINING: 503,
  STORAGE_FULL: 507,
} as const

/** Codes that only the tus face has. */
const TUS_ONLY: readonly string[] = ['OFFSET_MISMATCH', 'TUS_VERSION_MISMATCH']

/** Statuses that ask the client to try again, and so say when. */
const RETRY_LATER: readonly number[] = [408, 423, 429, 503]

/** Failures of the server itself, which its operator wants to know of. */
const LOGGED: Readonly<Record<string, string>> = {
  INTERNAL: 'secret',
  STORAGE_UNAVAILABLE: 'secret',
  STORAGE_FULL: 'secret',
  STATE_UNAVAILABLE: 'Redis',
}

const NOBODY = '00000000-0000-4000-8000-000000000000'
const HOUR = 3_600_000

interface Server {
  readonly app: FastifyInstance
  readonly client: JsonClient
}

let directory = ''
let server: Server
/** What the next write of a chunk's bytes throws. */
let fault: Error | null = null
/** How far the server's clock is ahead, ms. */
let aheadMs = 0
/** What the server has logged, a line each. */
const log: string[] = []

beforeAll(async () => {
  directory = await makeTempDir()
  server = await serve(directory)
})

afterAll(async () => {
  await stop(server)
  await rm(directory, { recursive: true, force: true })
})

/** Serves the plugin on a socket of this process, over a disk that fails and a clock that jumps when a test says so. */
async function serve(
  dataDir: string,
  more: Partial<UploadsOptions> = {},
  faces: Partial<HoldfastOptions> = {},
): Promise<Server> {
  const options: UploadsOptions = {
    storage: new FileStorage({ directory: dataDir, layer: faultyFiles }),
    maxFileSize: 1000,
    maxBytesPerUser: 3500,
    lockWaitMs: 50,
    idleTimeoutMs: 500,
    expiresAfterMs: HOUR,
    now: () => Date.now() + aheadMs,
    authorize: (principal, action) => principal?.id !== 'mallory' || action !== 'create',
    ...more,
  }
  const app = Fastify({
    frameworkErrors,
    return503OnClosing: false,
    logger: { level: 'error', stream: { write: (line) => void log.push(line) } },
  })
  const uploads = createUploads(options)
  await app.register(holdfast, {
    ...faces,
    uploads,
    authenticate: ({ headers }) =>
      headers.authorization === 'nobody' ? null : { id: headers.authorization ?? 'alice' },
  })
  await uploads.open()
  return { app, client: new JsonClient(await app.listen({ host: '127.0.0.1', port: 0 })) }
}

async function stop({ app, client }: Server): Promise<void> {
  await app.close()
  client.close()
}

const faultyFiles: FileLayer = {
  ...nodeFiles,
  open: async (path, flags) => {
    const handle = await nodeFiles.open(path, flags)
    return path.endsWith('data')
      ? { ...bound(handle), writev: (...args) => failOr(() => handle.writev(...args)) }
      : handle
  },
}

/** The calls of a handle, free of it. */
function bound(handle: Awaited<ReturnType<FileLayer['open']>>): typeof handle {
  return {
    read: (...args) => handle.read(...args),
    writev: (...args) => handle.writev(...args),
    truncate: (size) => handle.truncate(size),
    stat: () => handle.stat(),
    datasync: () => handle.datasync(),
    sync: () => handle.sync(),
    close: () => handle.close(),
  }
}

async function failOr<T>(work: () => Promise<T>): Promise<T> {
  if (fault !== null) throw fault
  return work()
}

/** What the operating system throws. */
const systemError = (code: string): Error =>
  Object.assign(new Error(`${code}: /tmp/secret`), { code, syscall: 'write' })

/** A chunk whose bytes the disk refuses. The same chunk is taken when the disk works again. */
async function chunkDuring(error: Error): Promise<Answer> {
  const { client } = server
  const bytes = someFile(4)
  const { id } = await client.begin({ fileSize: 4 })
  fault = error
  const answer = await client.chunk(id, 0, bytes)
  fault = null
  expect(await client.progressed(id)).toMatchObject({ uploadedBytes: 0 })
  await client.sent(id, 0, bytes)
  return answer
}

/** A download of a new file of 4 bytes. */
async function contentWith(client: JsonClient, headers: OutgoingHttpHeaders): Promise<Answer> {
  const { id, fileId } = await client.filled(someFile(4))
  await client.completed(id)
  return client.call('GET', `/api/v1/files/${fileId}/content`, { headers })
}

/** How each code is brought about. */
const PROVOKED: Readonly<Record<string, (client: JsonClient) => Promise<Answer>>> = {
  INVALID_REQUEST: (client) => client.initiate('{'),
  INVALID_CHUNK_NUMBER: async (client) => client.chunk((await client.begin({ fileSize: 4 })).id, 1, someFile(4)),
  CHUNK_SIZE_MISMATCH: async (client) => client.chunk((await client.begin({ fileSize: 4 })).id, 0, someFile(3)),
  UNAUTHENTICATED: (client) => client.initiate({ fileName: 'a', fileSize: 4 }, { Authorization: 'nobody' }),
  FORBIDDEN: (client) => client.initiate({ fileName: 'a', fileSize: 4 }, { Authorization: 'mallory' }),
  UPLOAD_NOT_FOUND: (client) => client.progress(NOBODY),
  FILE_NOT_FOUND: (client) => client.call('GET', `/api/v1/files/${NOBODY}`),
  NOT_FOUND: (client) => client.call('GET', client.target(NOBODY, 'nothing')),
  METHOD_NOT_ALLOWED: (client) => client.call('PUT', client.target(NOBODY)),
  TIMEOUT: async (client) => {
    const open = client.openChunk((await client.begin({ fileSize: 4 })).id, 0, 4)
    await open.write(someFile(3))
    const answer = await open.answer
    await open.cut()
    return answer
  },
  CHUNKS_MISSING: async (client) => client.complete((await client.begin({ fileSize: 4 })).id),
  CHUNK_CONFLICT: async (client) => {
    const bytes = someFile(4)
    return client.chunk((await client.filled(bytes)).id, 0, otherThan(bytes))
  },
  UPLOAD_COMPLETED: async (client) => {
    const { id } = await client.filled(someFile(4))
    await client.completed(id)
    return client.cancel(id)
  },
  UPLOAD_EXPIRED: async (client) => {
    const { id } = await client.begin({ fileSize: 4 })
    aheadMs += HOUR + 1
    return client.progress(id)
  },
  UPLOAD_CANCELLED: async (client) => {
    const { id } = await client.begin({ fileSize: 4 })
    await client.cancel(id)
    return client.progress(id)
  },
  UPLOAD_FAILED: async (client) => {
    const { id } = await client.filled(someFile(4), { checksum: sha256('another file') })
    await client.complete(id)
    return client.progress(id)
  },
  PRECONDITION_FAILED: (client) => contentWith(client, { 'If-Match': '"another"' }),
  RANGE_NOT_SATISFIABLE: (client) => contentWith(client, { Range: 'bytes=4-' }),
  FILE_TOO_LARGE: (client) => client.initiate({ fileName: 'a', fileSize: 1001 }),
  QUOTA_EXCEEDED: async (client) => {
    const greedy = { Authorization: 'greedy' }
    for (let i = 0; i < 3; i += 1) await client.begin({ fileSize: 1000 }, greedy)
    return client.initiate({ fileName: 'a', fileSize: 1000 }, greedy)
  },
  BODY_TOO_LARGE: (client) => client.initiate({ fileName: 'a', fileSize: 4, metadata: { a: 'x'.repeat(2_000_000) } }),
  UNSUPPORTED_MEDIA_TYPE: async (client) => {
    const { id } = await client.begin({ fileSize: 4 })
    return client.chunk(id, 0, someFile(4), { 'Content-Type': 'image/png' })
  },
  CHECKSUM_MISMATCH: async (client) => {
    const { id } = await client.begin({ fileSize: 4 })
    return client.chunk(id, 0, someFile(4), { 'X-Chunk-Checksum': sha256('other') })
  },
  IDEMPOTENCY_KEY_REUSED: async (client) => {
    await client.begin({ fileSize: 4 }, { 'Idempotency-Key': 'key' })
    return client.initiate({ fileName: 'a', fileSize: 5 }, { 'Idempotency-Key': 'key' })
  },
  UPLOAD_LOCKED: async (client) => {
    const bytes = someFile(4)
    const { id } = await client.begin({ fileSize: 4 })
    const open = client.openChunk(id, 0, 4)
    await open.write(bytes.subarray(0, 2))
    // Whichever of the two the server hears first holds the chunk, and the other is told so.
    const second = client.openChunk(id, 0, 4)
    await second.write(bytes.subarray(0, 2))
    const answer = await Promise.race([open.answer, second.answer])
    await Promise.all([open.cut(), second.cut()])
    return answer
  },
  RATE_LIMITED: async (client) => {
    const other = await makeTempDir()
    const limited = await serve(other, {}, { rateLimit: { max: 1, windowMs: HOUR } })
    await limited.client.progress(NOBODY)
    const answer = await limited.client.progress(NOBODY)
    await stop(limited)
    await rm(other, { recursive: true, force: true })
    for (const code of limited.client.codes) client.codes.add(code)
    return answer
  },
  INTERNAL: () => chunkDuring(new TypeError('undefined is not a function at /tmp/secret.ts:1:1')),
  STORAGE_UNAVAILABLE: () => chunkDuring(systemError('EIO')),
  STORAGE_FULL: () => chunkDuring(systemError('ENOSPC')),
  STATE_UNAVAILABLE: async (client) => {
    const other = await makeTempDir()
    // Nothing listens there.
    const redis = new Redis(1, '127.0.0.1', { maxRetriesPerRequest: 0 }).on('error', () => {})
    const stateless = await serve(other, { state: new RedisState({ redis }) })
    const answer = await stateless.client.initiate({ fileName: 'a', fileSize: 4 })
    await stop(stateless)
    redis.disconnect()
    await rm(other, { recursive: true, force: true })
    for (const code of stateless.client.codes) client.codes.add(code)
    return answer
  },
  DRAINING: async (client) => {
    const other = await makeTempDir()
    const draining = await serve(other)
    const { id } = await draining.client.begin({ fileSize: 4 })
    const open = draining.client.openChunk(id, 0, 4)
    await open.write(someFile(2))
    // Answered, it has been received: the chunk before it is then with the server too.
    await draining.client.progressed(id)
    const closing = stop(draining)
    const answer = await open.end(someFile(2))
    await closing
    await rm(other, { recursive: true, force: true })
    for (const code of draining.client.codes) client.codes.add(code)
    return answer
  },
}

describe('the table of errors', () => {
  it('has every code of the contract with its status, and no other', () => {
    const written = Object.entries(ERRORS)
      .filter(([code]) => !TUS_ONLY.includes(code))
      .map(([code, { status }]) => [code, status])

    expect(Object.fromEntries(written)).toMatchObject(CONTRACT)
    expect(CONTRACT).toMatchObject(Object.fromEntries(written))
  })

  it.each(Object.entries(CONTRACT))(
    'has %s, which a client receives over a socket with status %i',
    async (code, status) => {
      const provoke = PROVOKED[code]
      if (provoke === undefined) throw new Error(`No test has received ${code}.`)

      const answer = await provoke(server.client)

      const failure = failureOf(answer, status, code)
      expect(answer.text).not.toContain('secret')
      const told = LOGGED[code]
      if (told !== undefined) {
        const line = log.findLast((entry) => entry.includes(`"reqId":"${failure.requestId}"`))
        expect(line, 'is logged with the request id, and with what the client is not told').toContain(told)
      }
      if (RETRY_LATER.includes(status)) expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/)
      else expect(answer.headers).not.toHaveProperty('retry-after')
    },
  )

  it('has no code that no test has received', () => {
    const missing = Object.keys(CONTRACT).filter((code) => !server.client.codes.has(code))

    expect(missing).toEqual([])
  })
})
