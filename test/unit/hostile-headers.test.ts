import { IncomingMessage, type IncomingHttpHeaders } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { tokensOf } from '../../adapters/bearer.ts'
import { corsHeaders, isPreflight, preflightHeaders } from '../../adapters/cors.ts'
import { pathBelow, pathOfTarget } from '../../adapters/paths.ts'
import { requestIdOf } from '../../adapters/request-id.ts'
import { apiKeyOf } from '../../adapters/standalone/authentication/credentials.ts'
import { parseContentDigest } from '../../src/checksum/content-digest.ts'
import { parseUploadChecksum } from '../../src/checksum/upload-checksum.ts'
import { isMediaType, parseCreateInput } from '../../src/create-input.ts'
import { parseRange } from '../../src/downloads/byte-range.ts'
import { allowsRange, evaluateConditions } from '../../src/downloads/conditions.ts'
import { parseHttpDate } from '../../src/downloads/http-date.ts'
import { isUploadError } from '../../src/errors.ts'
import { declaredChecksums, parseChunkChecksum } from '../../src/json/headers/chunk-checksum.ts'
import { parseChunkNumber } from '../../src/json/headers/chunk-number.ts'
import { parseContentLength } from '../../src/json/headers/content-length.ts'
import { wantJson, wantOctets } from '../../src/json/headers/content-type.ts'
import { parseIdempotencyKey } from '../../src/json/headers/idempotency-key.ts'
import { parsePreferWait } from '../../src/json/headers/prefer.ts'
import { matchOperation } from '../../src/json/match.ts'
import { effectiveMethod, headersForTus, refuseVersion } from '../../src/tus/request-headers.ts'
import { readCreation, readPatch } from '../../src/tus/requests.ts'
import { readUploadConcat } from '../../src/tus/upload-concat.ts'
import { parseUploadMetadata } from '../../src/tus/upload-metadata.ts'
import { cases } from '../support/cases.ts'
import { hostileTexts } from '../support/hostile-texts.ts'

/** As long as a parser may take on a busy machine, ms; one that looks again and again at the same text takes minutes. */
const LONGEST_MS = 500

const SHA = 'a'.repeat(64)
const B64 = `${'A'.repeat(43)}=`
const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT'
const OCTETS = 'application/octet-stream'
const OFFSET = 'application/offset+octet-stream'
const VALIDATORS = { etag: '"abc-5"', lastModified: 784_111_777_000 }
const request = (headers: IncomingHttpHeaders, trailers: NodeJS.Dict<string> = {}) => ({ headers, trailers })

function message(headers: IncomingHttpHeaders, url = '/'): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { headers, url })
}

/** Node refuses requests with these in a header, which a web `Headers` would throw at. */
const asNodeHasIt = (text: string): string => text.replaceAll(/[\0\r\n]/g, '')

/** A parser of a header, and values that are right for it. */
type Parser = readonly [parse: (text: string) => unknown, ...right: string[]]

const PARSERS: Readonly<Record<string, Parser>> = {
  'X-Chunk-Number': [parseChunkNumber, '0', '12'],
  'X-Chunk-Checksum': [parseChunkChecksum, SHA, SHA.toUpperCase()],
  'Content-Digest': [parseContentDigest, `sha-256=:${B64}:`, `sha-512=:${'A'.repeat(86)}==:, sha-256=:${B64}:;a=1`],
  'Upload-Checksum': [parseUploadChecksum, `sha256 ${B64}`, 'sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=', 'md5 AAAA'],
  'X-Chunk-Checksum beside Content-Digest': [
    (text) => declaredChecksums(request({ 'x-chunk-checksum': text, 'content-digest': text })),
    SHA,
  ],
  Trailer: [
    (text) => declaredChecksums(request({ trailer: text, 'transfer-encoding': 'chunked' }, { 'content-digest': text })),
    'Content-Digest',
    'X-Chunk-Checksum, Content-Digest',
  ],
  'Content-Length': [(text) => parseContentLength({ 'content-length': text }), '0', '5'],
  'Content-Type, of bytes': [(text) => wantOctets({ 'content-type': text }), OCTETS, `${OCTETS}; charset=x`],
  'Content-Type, of JSON': [(text) => wantJson({ 'content-type': text }), 'application/json; charset=utf-8'],
  'Content-Encoding': [(text) => wantOctets({ 'content-encoding': text }), 'identity', 'gzip'],
  'Idempotency-Key': [parseIdempotencyKey, 'a-key', '"8e03978e"'],
  Prefer: [parsePreferWait, 'wait=5', 'respond-async, wait="10"; a=b', 'a="b,\\"c", wait=1'],
  'Upload-Metadata': [parseUploadMetadata, 'filename aGVsbG8=', 'filename aGVsbG8=,filetype dGV4dC9wbGFpbg==,empty'],
  'Upload-Length': [(text) => readCreation(request({ 'upload-length': text }), null, null), '0', '9007199254740991'],
  'Upload-Offset': [(text) => readPatch(request({ 'upload-offset': text, 'content-type': OFFSET })), '0', '5'],
  'Content-Type, of a PATCH': [(text) => readPatch(request({ 'upload-offset': '0', 'content-type': text })), OFFSET],
  'Upload-Checksum, of a PATCH': [
    (text) => readPatch(request({ 'upload-offset': '0', 'content-type': OFFSET, 'upload-checksum': text })),
    `sha256 ${B64}`,
  ],
  'Upload-Metadata, of a POST': [
    (text) => readCreation(request({ 'upload-length': '1', 'upload-metadata': text }), null, null),
    'filename aGVsbG8=',
  ],
  'Upload-Defer-Length': [(text) => headersForTus('POST', { 'upload-defer-length': asNodeHasIt(text) }), '1'],
  'Upload-Concat': [
    (text) => readUploadConcat({ 'upload-concat': asNodeHasIt(text) }, '/files'),
    'partial',
    'final;/files/a /files/b',
  ],
  'Tus-Resumable': [(text) => refuseVersion('PATCH', { 'tus-resumable': text }), '1.0.0'],
  'X-HTTP-Method-Override': [(text) => effectiveMethod('POST', { 'x-http-method-override': text }), 'PATCH', 'delete'],
  Range: [(text) => parseRange(text, 1000), 'bytes=0-0', 'bytes=-5', 'bytes=5-', 'bytes=0-1,5-6'],
  'If-Range': [(text) => allowsRange(text, VALIDATORS), '"abc-5"', DATE],
  'If-Match': [(text) => evaluateConditions({ 'if-match': text }, VALIDATORS), '*', '"abc-5"', 'W/"abc-5", "x"'],
  'If-None-Match': [(text) => evaluateConditions({ 'if-none-match': text }, VALIDATORS), '*', 'W/"abc-5", "x"'],
  'If-Modified-Since': [(text) => evaluateConditions({ 'if-modified-since': text }, VALIDATORS), DATE],
  'If-Unmodified-Since': [(text) => evaluateConditions({ 'if-unmodified-since': text }, VALIDATORS), DATE],
  'a date': [(text) => parseHttpDate(text), DATE, 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'],
  Authorization: [
    (text) => tokensOf(message({ authorization: text })),
    `Bearer hfu1_${'a'.repeat(43)}`,
    'Bearer a.b.c',
  ],
  'X-API-Key': [(text) => apiKeyOf({ 'x-api-key': text, authorization: text }), 'key', 'Bearer key'],
  'X-Request-ID': [(text) => requestIdOf(message({ 'x-request-id': text })), 'req-1'],
  Origin: [
    (text) => {
      const options = { origins: ['https://app.example'], credentials: true }
      const asked = { method: 'OPTIONS', origin: text, requestMethod: text }
      return [isPreflight(asked), preflightHeaders(options, asked), corsHeaders(options, asked)]
    },
    'https://app.example',
    'null',
  ],
  'the query': [(text) => tokensOf(message({}, `/?token=${text}`)), `hfu1_${'a'.repeat(43)}`, 'a&token=b', '%zz'],
  'the path': [
    (text) => matchOperation([{ method: 'GET', pattern: '/:id' }], 'GET', pathBelow(pathOfTarget(text), '/api')),
    '/api/3fa85f64-5717-4562-b3fc-2c963f66afa6',
    'http://host/api/x?y#z',
  ],
  'a media type': [isMediaType, 'text/plain; charset="utf-8"', 'a/b;c=d;e="\\""'],
}

let tried = 0
afterAll(() => console.log(`${Object.keys(PARSERS).length} parsers of headers were given ${tried} values`))

/** What comes of a parser: a value or a refusal that is the client's fault, and soon. */
function mustBear(parse: () => unknown): void {
  const begun = performance.now()
  try {
    parse()
  } catch (error) {
    if (!isUploadError(error) || error.status >= 500) throw error
  }
  const ms = performance.now() - begun
  expect(ms).toBeLessThan(LONGEST_MS)
  tried += 1
}

describe('whatever it is given is taken or refused at once, as the client’s fault:', () => {
  it.each(Object.entries(PARSERS))('%s', (_name, [parse, ...right]) => {
    for (const text of right) mustBear(() => parse(text))
    fc.assert(
      fc.property(hostileTexts(...right), (text) => mustBear(() => parse(text))),
      { numRuns: cases(400) },
    )
  })

  it('the body of an initiate', () => {
    const fields = { fileName: 'a', fileSize: 1, contentType: 'a/b', metadata: {}, chunkSize: 5, checksum: SHA }
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 4 }),
      hostileTexts('a', 'a/b', SHA),
      fc.double(),
      fc.maxSafeInteger(),
    )
    const bodies = fc
      .tuple(
        fc.subarray(Object.keys(fields)),
        fc.dictionary(fc.constantFrom(...Object.keys(fields), '__proto__'), value),
      )
      .map(([kept, others]) => ({
        ...Object.fromEntries(Object.entries(fields).filter(([key]) => kept.includes(key))),
        ...others,
      }))
    fc.assert(
      fc.property(fc.oneof(bodies, fc.jsonValue()), (body) => mustBear(() => parseCreateInput(body))),
      { numRuns: cases(2000) },
    )
  })
})
