import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { Readable } from 'node:stream'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import { S3Storage, type S3Sender } from '../../../../src/storage/s3/index.ts'
import type { StoredUpload } from '../../../../src/upload.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import { complete, expectBytes, gather, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'

const bytes = testBytes(3 * MIB)

/** What happens to the bodies that S3 answers with. */
type Spoil = (body: Readable) => Readable

/** A client whose answers break off, stall, or are looked at. */
class SpoilingS3 implements S3Sender {
  spoil: Spoil = (body) => body
  ranges: unknown[] = []
  readonly #inner: S3Sender

  constructor(inner: S3Sender) {
    this.#inner = inner
  }

  async send(command: object, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown> {
    const answer = await this.#inner.send(command, options)
    if (!(command instanceof GetObjectCommand) || command.input.Range === undefined) return answer
    this.ranges.push(command.input.Range)
    const { Body } = answer as { readonly Body: Readable }
    return { ...(answer as object), Body: this.spoil(Body) }
  }
}

/** The first bytes of a body, then `end`. */
function first(body: Readable, size: number, end: () => Promise<void>): Readable {
  async function* cut() {
    let given = 0
    for await (const piece of body as AsyncIterable<Buffer>) {
      if (given + piece.length > size) break
      given += piece.length
      yield piece
    }
    await end()
  }
  return Readable.from(cut(), { objectMode: false })
}

/** Resolves when a body is closed, with an error or without. */
function closed(body: Readable): Promise<void> {
  return new Promise((resolve) => (body.closed ? resolve() : body.once('error', () => {}).once('close', resolve)))
}

const broken = async () => {
  throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}

describeWithS3('reading a finished file', () => {
  let place: S3Place
  let s3: SpoilingS3
  let storage: S3Storage
  let done: StoredUpload

  beforeEach(async () => {
    place = await S3Place.make()
    s3 = new SpoilingS3(place.client)
    const retry = { baseMs: 1, longestPauseMs: 2, stallMs: 500 }
    storage = new S3Storage({ client: s3, bucket: place.bucket, retry })
    await storage.open()
    done = await complete(
      storage,
      await storeAll(storage, testManifest({ chunkSize: 5 * MIB, size: bytes.length }), bytes),
    )
  })

  afterEach(async () => {
    await storage.close()
    await place.leave()
  })

  const fileId = () => done.manifest.fileId

  it('gives any stretch', async () => {
    for (const [start, end] of [
      [0, bytes.length],
      [1, 2],
      [bytes.length - 1, bytes.length],
      [MIB - 3, 2 * MIB + 5],
      [9, 9],
    ] as const) {
      expectBytes(await gather(await storage.openFile(fileId(), start, end)), bytes.subarray(start, end))
      expectBytes(await gather(storage.read(done, start, end)), bytes.subarray(start, end))
    }
  })

  it.each([
    ['break off with an error', broken],
    ['end early', async () => {}],
    ['stall', () => new Promise<void>(() => {})],
  ] as const)('goes on where answers %s', async (_, end) => {
    s3.spoil = (body) => first(body, MIB, end)
    expectBytes(await gather(await storage.openFile(fileId(), 10, bytes.length)), bytes.subarray(10))
    expect(s3.ranges.length).toBeGreaterThan(2)
    expect(s3.ranges[0]).toBe(`bytes=10-${bytes.length - 1}`)
    expect(s3.ranges[1]).not.toBe(s3.ranges[0])
  })

  it('gives up where answers bring nothing', async () => {
    s3.spoil = (body) => first(body, 0, broken)
    await expect(storage.openFile(fileId(), 0, 10)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(s3.ranges.length).toBeLessThan(10)
  })

  it('does not go on with another object', async () => {
    let broke = false
    s3.spoil = (body) => {
      if (broke) return body
      broke = true
      return first(body, MIB, async () => {
        await place.put(`holdfast/files/${fileId()}/${done.manifest.id}`, testBytes(bytes.length, 5))
        await broken()
      })
    }
    const stream = await storage.openFile(fileId(), 0, bytes.length)
    await expect(gather(stream)).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it('holds no more than a few pieces for a reader that takes its time', async () => {
    let arrived = 0
    s3.spoil = (body) => {
      async function* counted() {
        for await (const piece of body as AsyncIterable<Buffer>) {
          arrived += piece.length
          yield piece
        }
      }
      return Readable.from(counted(), { objectMode: false, highWaterMark: 0 })
    }
    const stream = await storage.openFile(fileId(), 0, bytes.length)
    const pieces = stream[Symbol.asyncIterator]()
    let taken = 0
    for (let time = 0; time < 5; time += 1) taken += ((await pieces.next()).value as Buffer).length
    // Longer than an answer may stall: a slow reader is no stall.
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(arrived - taken).toBeLessThanOrEqual(256 * 1024)
    for await (const piece of { [Symbol.asyncIterator]: () => pieces }) taken += (piece as Buffer).length
    expect(taken).toBe(bytes.length)
    expect(s3.ranges).toHaveLength(1)
  })

  it('ends the request when the reader leaves, at any time', async () => {
    const bodies: Readable[] = []
    s3.spoil = (body) => {
      bodies.push(body)
      return body
    }
    const unread = await storage.openFile(fileId(), 0, bytes.length)
    unread.destroy()
    const left = await storage.openFile(fileId(), 0, bytes.length)
    for await (const _ of left) break
    for await (const _ of storage.read(done, 0, bytes.length)) break
    expect(bodies).toHaveLength(3)
    await Promise.all(bodies.map(closed))
  })

  it('ends the request when the reader leaves while it waits for bytes', async () => {
    let stalled: (() => void) | undefined
    const waiting = new Promise<void>((resolve) => (stalled = resolve))
    const bodies: Readable[] = []
    s3.spoil = (body) => {
      bodies.push(body)
      return first(body, MIB, () => {
        stalled?.()
        return new Promise<void>(() => {})
      })
    }
    const stream = await storage.openFile(fileId(), 0, bytes.length)
    stream.resume()
    await waiting
    stream.destroy()
    await Promise.all(bodies.map(closed))
  })

  it('knows no file that was deleted, or replaced by somebody else', async () => {
    await place.put(`holdfast/files/${fileId()}/${done.manifest.id}`, bytes)
    for (const end of [0, 10]) {
      await expect(storage.openFile(fileId(), 0, end)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    }
    await storage.record(done.manifest.id, { type: 'ended', status: 'cancelled', at: 9, ofFile: true })
    await expect(storage.openFile(fileId(), 0, 10)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  })
})

/** An S3 that takes connections and answers nothing. */
async function silentServer(): Promise<{ readonly server: Server; readonly endpoint: string }> {
  const server = createServer(() => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  return { server, endpoint: `http://127.0.0.1:${address.port}` }
}

describeWithS3('an S3 that does not answer', () => {
  it('is given up in time', async () => {
    const { S3Client } = await import('@aws-sdk/client-s3')
    const { server, endpoint } = await silentServer()
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
    const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
    const storage = new S3Storage({ client, bucket: 'acme', retry: { stallMs: 100, attempts: 2, baseMs: 1 } })
    await expect(storage.open()).rejects.toThrow('The S3 storage of bucket "acme" does not answer')
    client.destroy()
    server.closeAllConnections()
    server.close()
  })
})
