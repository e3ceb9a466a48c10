import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type Storage } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { S3Storage } from '../../src/storage/s3/index.ts'
import { dataOf, failureOf, JsonClient } from '../support/json-client.ts'
import { listen } from '../support/listen.ts'
import { EXE, PNG } from '../support/marked-files.ts'
import { S3Place } from '../support/s3-place.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'
import { encodeMetadata, OFFSET_OCTET_STREAM, TusClient } from '../support/tus-client.ts'

const ALLOWED = { allowedTypes: ['image/*', 'text/plain'] }
const SNIFFED = { ...ALLOWED, sniffTypes: true }
const NO_IMAGE = Buffer.alloc(300, 'no image ')

async function serve(storage: Storage, options: { allowedTypes?: string[]; sniffTypes?: boolean }) {
  const read = vi.spyOn(storage, 'read')
  const uploads = createUploads({ storage, fileChecksum: 'composite', ...options })
  await uploads.open()
  const url = await listen(holdfast({ uploads, onError: () => {} }))
  const client = new JsonClient(url)
  onTestFinished(async () => {
    client.close()
    await uploads.close()
  })
  const tus = new TusClient(url)
  return {
    client,
    tus,
    read,
    /** Sends a file through JSON, the first chunk last, as what it is declared; the answer to its completion. */
    sendJson: async (bytes: Buffer, contentType: string, chunkSize?: number) => {
      const size = chunkSize === undefined ? {} : { chunkSize }
      const begun = await client.begin({ fileSize: bytes.length, contentType, ...size })
      for (let n = begun.totalChunks - 1; n >= 0; n -= 1) {
        await client.sent(begun.id, n, bytes.subarray(n * begun.chunkSize, (n + 1) * begun.chunkSize))
      }
      return { id: begun.id, fileId: begun.fileId, answer: await client.complete(begun.id) }
    },
    create: (size: number, type: string) =>
      tus.request('POST', '/files', {
        headers: { 'Upload-Length': size, 'Upload-Metadata': encodeMetadata({ filename: 'a', filetype: type }) },
      }),
    /** Sends a stretch of a file through tus. */
    patch: (path: string, offset: number, body: Buffer) =>
      tus.request('PATCH', path, {
        headers: { 'Upload-Offset': offset, 'Content-Type': OFFSET_OCTET_STREAM },
        body,
      }),
  }
}

const onDisk = async (options: Parameters<typeof serve>[1]) =>
  serve(new FileStorage({ directory: await tempDir() }), options)

describe('a type that is declared', () => {
  it('is refused at creation where it is not allowed, on both faces, and nothing is left', async () => {
    const { client, create, tus } = await onDisk(ALLOWED)
    const refused = await client.initiate({ fileName: 'a', fileSize: 1, contentType: 'video/mp4' })
    const { details, message } = failureOf(refused, 415, 'UNSUPPORTED_MEDIA_TYPE')
    expect(details).toEqual({ contentType: 'video/mp4', allowed: ALLOWED.allowedTypes })
    expect(message).toBe('Files of the type video/mp4 are not taken here; allowed are image/*, text/plain.')
    // A file of which nothing is said is bytes, and nothing more.
    failureOf(await client.initiate({ fileName: 'a', fileSize: 1 }), 415, 'UNSUPPORTED_MEDIA_TYPE')
    const answer = await create(1, 'video/mp4')
    expect(answer.status).toBe(415)
    expect(answer.headers).not.toHaveProperty('location')
    expect((await tus.request('POST', '/files', { headers: { 'Upload-Length': 1 } })).status).toBe(415)
  })

  it('is taken where it is allowed, whatever is in the file, and no byte is looked at', async () => {
    const { create, read, sendJson } = await onDisk(ALLOWED)
    dataOf((await sendJson(NO_IMAGE, 'IMAGE/png; a=b')).answer)
    expect((await create(1, 'text/plain')).status).toBe(201)
    expect(read).not.toHaveBeenCalled()
  })
})

function describeSniffing(name: string, make: () => Promise<Storage>, chunkSize: number): void {
  describe(`a file whose first bytes are looked at, on ${name}`, () => {
    /** A file of three chunks that begins as this does. */
    const large = (first: Buffer): Buffer => Buffer.concat([first, Buffer.alloc(2 * chunkSize + 10)])

    it('is finished where it is what is allowed, though its first chunk comes last', async () => {
      const { read, sendJson } = await serve(await make(), SNIFFED)
      dataOf((await sendJson(large(PNG), 'image/png', chunkSize)).answer)
      dataOf((await sendJson(Buffer.from('hello'), 'text/plain')).answer)
      dataOf((await sendJson(Buffer.alloc(0), 'image/png')).answer)
      expect(read.mock.calls.map(([, start, end]) => end - start)).toEqual([64 * 1024, 5])
    })

    it.each<[string, Buffer]>([
      ['of several chunks', large(EXE)],
      ['of one chunk', EXE],
    ])('fails %s where it is something else, and nobody has seen it', async (_, bytes) => {
      const { client, sendJson } = await serve(await make(), SNIFFED)
      const { id, fileId, answer } = await sendJson(bytes, 'image/png', chunkSize)
      const { details } = failureOf(answer, 415, 'UNSUPPORTED_MEDIA_TYPE')
      expect(details).toMatchObject({ contentType: 'image/png', found: 'application/x-msdownload' })
      failureOf(await client.complete(id), 410, 'UPLOAD_FAILED')
      failureOf(await client.call('GET', `/api/v1/files/${fileId}`), 404, 'FILE_NOT_FOUND')
      failureOf(await client.call('GET', `/api/v1/files/${fileId}/content`), 404, 'FILE_NOT_FOUND')
    })

    it('fails through tus too, also where its first bytes come one by one', async () => {
      const { create, patch, tus } = await serve(await make(), SNIFFED)
      for (const [bytes, status] of [
        [PNG, 204],
        [EXE, 415],
      ] as const) {
        const path = (await create(bytes.length, 'image/png')).headers.location ?? ''
        for (let offset = 0; offset < 3; offset += 1) {
          expect((await patch(path, offset, bytes.subarray(offset, offset + 1))).status).toBe(204)
        }
        expect((await patch(path, 3, bytes.subarray(3))).status).toBe(status)
        const head = await tus.request('HEAD', path)
        expect(head.status).toBe(status === 204 ? 200 : 410)
      }
    })
  })
}

describeSniffing('a disk', async () => new FileStorage({ directory: await tempDir() }), 64 * 1024)

describeWithS3('with S3', () => {
  describeSniffing(
    'S3',
    async () => {
      const place = await S3Place.make()
      onTestFinished(() => place.leave())
      return new S3Storage({ client: place.client, bucket: place.bucket })
    },
    5 * 1024 * 1024,
  )
})
