import type { IncomingHttpHeaders } from 'node:http'
import { expect, it } from 'vitest'
import { CONTENT_DIGEST, readChecksums, UPLOAD_CHECKSUM } from '../../../src/checksum/read-checksums.ts'

const FIELDS = [UPLOAD_CHECKSUM, CONTENT_DIGEST]
const CRC = { algorithm: 'crc32', digest: Buffer.alloc(4) } as const
const SHA256 = { algorithm: 'sha256', digest: Buffer.alloc(32) } as const
const CHUNKED = { 'transfer-encoding': 'chunked' } as const

function read(headers: IncomingHttpHeaders, trailers: Record<string, string> = {}) {
  return readChecksums({ headers, trailers }, FIELDS)
}

it('has nothing to say where nothing is declared', () => {
  expect(read({})).toBeUndefined()
  expect(read({ ...CHUNKED, trailer: 'Expires' }, { 'upload-checksum': 'crc32 AAAAAA==' })).toBeUndefined()
  expect(readChecksums({ headers: { 'upload-checksum': 'no' }, trailers: {} }, [CONTENT_DIGEST])).toBeUndefined()
})

it('reads every field', () => {
  const headers = { 'upload-checksum': 'crc32 AAAAAA==', 'content-digest': `sha-256=:${'A'.repeat(43)}=:` }
  expect(read(headers)).toEqual({ before: [CRC, SHA256], after: null })
})

it.each(['Upload-Checksum', 'upload-checksum', 'Expires, UPLOAD-CHECKSUM', 'Expires,Upload-Checksum ,X'])(
  'reads the trailer that %j announces, when it is asked',
  (trailer) => {
    const declared = read({ ...CHUNKED, trailer }, { 'upload-checksum': 'crc32 AAAAAA==' })
    expect(declared?.before).toEqual([])
    expect(declared?.after?.()).toEqual([CRC])
  },
)

it('wants both where a header and a trailer declare', () => {
  const headers = { ...CHUNKED, trailer: 'Content-Digest', 'upload-checksum': 'crc32 AAAAAA==' }
  const declared = read(headers, { 'content-digest': `sha-256=:${'A'.repeat(43)}=:` })
  expect([declared?.before, declared?.after?.()]).toEqual([[CRC], [SHA256]])
})

it.each([
  ['that does not come', {}],
  ['that cannot be read', { 'upload-checksum': 'crc32 x' }],
  ['of an algorithm that is not supported', { 'upload-checksum': 'adler32 AAAAAA==' }],
])('refuses an announced trailer %s', (_what, trailers) => {
  const declared = read({ ...CHUNKED, trailer: 'Upload-Checksum' }, trailers)
  expect(() => declared?.after?.()).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
})

it('refuses a trailer that is announced for a body that can have none, and a header that cannot be read', () => {
  const refused = expect.objectContaining({ code: 'INVALID_REQUEST', details: { field: 'Upload-Checksum' } })
  expect(() => read({ trailer: 'Upload-Checksum', 'content-length': '3' })).toThrow(refused)
  expect(() => read({ 'upload-checksum': '' })).toThrow(refused)
})
