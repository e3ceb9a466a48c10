import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode, type ErrorEntry, UploadError } from '../../../src/errors.ts'
import type { FaceReply } from '../../../src/http.ts'
import { Ledger } from '../../../src/ledger.ts'
import { errorReply, finishReply, fromResponse, thrownReply } from '../../../src/tus/reply.ts'
import type { TusRequest } from '../../../src/tus/tus-request.ts'
import type { UploadStatus } from '../../../src/upload.ts'
import { anEntry, anUpload, aTail } from '../../support/upload-samples.ts'

const rows = Object.entries(ERRORS) as [ErrorCode, ErrorEntry][]

function aRequest(parts: Partial<TusRequest> = {}): TusRequest {
  return {
    method: 'PATCH',
    id: null,
    raw: new IncomingMessage(new Socket()),
    caller: { principal: null },
    token: null,
    create: null,
    createdOffset: null,
    patch: null,
    upload: null,
    offsetWithheld: false,
    error: undefined,
    ...parts,
  }
}

const aReply = (parts: Partial<FaceReply> = {}): FaceReply => ({ status: 204, headers: {}, body: null, ...parts })

/** What a request is answered that failed with this error. */
function failed(method: string, error: unknown, parts: Partial<TusRequest> = {}): FaceReply {
  return finishReply(aRequest({ method, error, ...parts }), errorReply(error))
}

describe("@tus/server's answer", () => {
  it('is taken with the headers of the protocol, and without those that have another owner', async () => {
    const reply = await fromResponse(
      new Response(null, {
        status: 201,
        headers: {
          Location: '/files/a',
          'Upload-Offset': '5',
          'Upload-Length': '10',
          'Upload-Defer-Length': '1',
          'Tus-Version': '1.0.0',
          'Tus-Extension': 'creation',
          'Tus-Max-Size': '100',
          'Cache-Control': 'no-store',
          'Access-Control-Allow-Origin': '*',
          'Content-Type': 'text/html',
          'Content-Length': '3',
          'Upload-Metadata': 'a',
          'Upload-Expires': 'never',
        },
      }),
    )
    expect(reply).toEqual({
      status: 201,
      headers: {
        'Cache-Control': 'no-store',
        Location: '/files/a',
        'Tus-Extension': 'creation',
        'Tus-Max-Size': '100',
        'Tus-Version': '1.0.0',
        'Upload-Defer-Length': '1',
        'Upload-Length': '10',
        'Upload-Offset': '5',
      },
      body: null,
    })
  })

  it('is taken with its text', async () => {
    expect(await fromResponse(new Response('no\n', { status: 400 }))).toEqual({
      status: 400,
      headers: {},
      body: 'no\n',
    })
  })
})

describe('the answer to an error', () => {
  it.each(rows)('has the status of the table for %s, and its message', (code, entry) => {
    const error = new UploadError(code)
    const reply = errorReply(error)
    expect(reply).toMatchObject({ status: entry.tus ?? entry.status, body: `${entry.message}\n` })
    expect(reply.headers).toEqual(code === 'TUS_VERSION_MISMATCH' ? { 'Tus-Version': '1.0.0' } : {})
  })

  it('names the methods there are where one is not', () => {
    const error = new UploadError('METHOD_NOT_ALLOWED', { details: { allow: ['POST', 'OPTIONS'] } })
    expect(errorReply(error)).toMatchObject({ status: 405, headers: { Allow: 'POST, OPTIONS' } })
  })

  it('tells nothing of what nobody foresaw', () => {
    const reply = errorReply(new Error("ENOENT: open '/var/data/secret'"))
    expect(reply).toMatchObject({ status: 500, body: `${ERRORS.INTERNAL.message}\n` })
  })
})

describe('every answer', () => {
  it.each(['HEAD', 'PATCH', 'POST', 'DELETE', 'GET'])('to %s has the version and is not to be cached', (method) => {
    expect(finishReply(aRequest({ method }), aReply({ status: 200 })).headers).toEqual({
      'Tus-Resumable': '1.0.0',
      'Cache-Control': 'no-store',
    })
  })

  it('to OPTIONS has the algorithms of checksums', () => {
    const reply = finishReply(aRequest({ method: 'OPTIONS' }), aReply({ headers: { 'Tus-Version': '1.0.0' } }))
    expect(reply.headers).toEqual({
      'Tus-Resumable': '1.0.0',
      'Tus-Version': '1.0.0',
      'Tus-Checksum-Algorithm': 'sha1,sha256,sha512,md5,crc32',
      'Cache-Control': 'no-store',
    })
  })

  it('keeps the headers it has', () => {
    const reply = finishReply(aRequest(), aReply({ headers: { 'Upload-Offset': '7', Location: '/files/a' } }))
    expect(reply).toMatchObject({ status: 204, headers: { 'Upload-Offset': '7', Location: '/files/a' } })
  })

  it('has no body where HTTP allows none, and its own type where it has a text', () => {
    const text = aReply({ status: 400, body: 'no\n' })
    expect(finishReply(aRequest(), text)).toMatchObject({
      body: 'no\n',
      headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    })
    expect(finishReply(aRequest({ method: 'HEAD' }), text).body).toBeNull()
    expect(finishReply(aRequest(), aReply({ status: 204, body: 'no\n' })).body).toBeNull()
  })

  it('hands a stream on with the type of the file', () => {
    const body = Readable.from(['abc'])
    const reply = finishReply(
      aRequest({ method: 'GET' }),
      aReply({ status: 200, headers: { 'Content-Type': 'video/mp4' }, body }),
    )
    expect(reply.body).toBe(body)
    expect(reply.headers['Content-Type']).toBe('video/mp4')
  })

  it('carries what went wrong for the log, where something did', () => {
    const error = new UploadError('INTERNAL', { cause: new Error('underneath') })
    expect(failed('PATCH', error).error).toBe(error)
    expect(finishReply(aRequest(), aReply())).not.toHaveProperty('error')
  })
})

describe('a passing trouble', () => {
  it.each(rows.filter(([, entry]) => entry.retry === true))(
    'such as %s is 423 with Retry-After, whatever was asked',
    (code) => {
      for (const method of ['HEAD', 'PATCH', 'POST', 'DELETE']) {
        expect(failed(method, new UploadError(code))).toMatchObject({ status: 423, headers: { 'Retry-After': '1' } })
      }
    },
  )

  it.each(rows)('never makes a HEAD start over: %s', (code) => {
    const { status, headers, body } = failed('HEAD', new UploadError(code))
    expect(status).toBeLessThan(500)
    expect([408, 429]).not.toContain(status)
    expect('Retry-After' in headers).toBe(status === 423)
    expect(body).toBeNull()
  })

  it('is what a HEAD meets also where @tus/server itself fails', () => {
    const reply = finishReply(aRequest({ method: 'HEAD' }), aReply({ status: 500, body: 'Internal Server Error\n' }))
    expect(reply).toMatchObject({ status: 423, headers: { 'Retry-After': '1' }, body: null })
  })

  it('is not made of a failure that a PATCH is to hear of', () => {
    expect(failed('PATCH', new UploadError('STORAGE_FULL')).status).toBe(507)
    expect(failed('PATCH', new UploadError('INTERNAL'))).toMatchObject({ status: 500 })
  })
})

describe('an answer about an upload', () => {
  const ledger = Ledger.of([anEntry(0)], aTail(1, 3))
  const expiresAt = Date.UTC(2030, 0, 2, 3, 4, 5)
  const upload = anUpload({ status: 'uploading', ledger, expiresAt })

  it.each(['HEAD', 'PATCH', 'POST'])('says to %s when an unfinished one expires', (method) => {
    const reply = finishReply(aRequest({ method, upload }), aReply({ status: 200 }))
    expect(reply.headers['Upload-Expires']).toBe('Wed, 02 Jan 2030 03:04:05 GMT')
  })

  it.each(['completing', 'uploaded', 'cancelled', 'expired', 'failed'] satisfies UploadStatus[])(
    'does not say that one expires which is %s',
    (status) => {
      const reply = finishReply(aRequest({ upload: { ...upload, status } }), aReply())
      expect(reply.headers).not.toHaveProperty('Upload-Expires')
    },
  )

  it('tells a HEAD that succeeds what the upload is, and nobody else', () => {
    const metadata = upload.manifest.attributes['Upload-Metadata']
    const head = aRequest({ method: 'HEAD', upload })
    expect(finishReply(head, aReply({ status: 200 })).headers['Upload-Metadata']).toBe(metadata)
    expect(finishReply(head, aReply({ status: 423 })).headers).not.toHaveProperty('Upload-Metadata')
    expect(finishReply(aRequest({ upload }), aReply({ status: 204 })).headers).not.toHaveProperty('Upload-Metadata')
  })

  it('carries the offset on 409 that the core has said, and none that it has not', () => {
    const told = new UploadError('OFFSET_MISMATCH', { details: { offset: 4 } })
    expect(failed('PATCH', told, { upload }).headers['Upload-Offset']).toBe('4')
    expect(failed('PATCH', told).headers['Upload-Offset']).toBe('4')
    expect(failed('PATCH', new UploadError('UPLOAD_COMPLETED'), { upload }).headers).not.toHaveProperty('Upload-Offset')
    expect(failed('PATCH', new UploadError('UPLOAD_COMPLETED')).headers).not.toHaveProperty('Upload-Offset')
  })

  it('carries an offset of 0 too', () => {
    const told = new UploadError('OFFSET_MISMATCH', { details: { offset: 0 } })
    expect(failed('PATCH', told, { upload }).headers['Upload-Offset']).toBe('0')
  })

  it('carries no offset of its own on any other failure', () => {
    expect(failed('PATCH', new UploadError('CHUNK_CONFLICT'), { upload }).headers).not.toHaveProperty('Upload-Offset')
    expect(failed('PATCH', new UploadError('UPLOAD_LOCKED'), { upload }).headers).not.toHaveProperty('Upload-Offset')
  })
})

describe('a status of which HTTP knows no name', () => {
  it('is called what the specification calls it', () => {
    const reply = failed('PATCH', new UploadError('CHECKSUM_MISMATCH'))
    expect(reply).toMatchObject({ status: 460, reason: 'Checksum Mismatch' })
    expect(failed('PATCH', new UploadError('CHUNK_CONFLICT'))).not.toHaveProperty('reason')
  })
})

describe('what a creation throws that does not pass @tus/server', () => {
  it('is answered as an error is', () => {
    for (const error of [new UploadError('FILE_TOO_LARGE'), new Error('no')]) {
      expect(thrownReply(error)).toEqual(errorReply(error))
    }
  })

  it("is answered as an application's hook says", () => {
    expect(thrownReply({ status_code: 418, body: 'no tea\n' })).toEqual({ status: 418, headers: {}, body: 'no tea\n' })
  })
})
