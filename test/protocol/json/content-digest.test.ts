import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { contentDigest } from '../../support/body-checksums.ts'
import { chunkHeaders, failureOf, type JsonClient, sha256, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()
const bytes = someFile(3000)
const other = Buffer.from('something else')

/** An upload of two chunks, half of the first of which is there. */
async function begin() {
  const { client } = server
  const { id, tusUrl } = await client.begin({ fileSize: 6000, chunkSize: 3000 })
  const sent = await fetch(new URL(tusUrl, client.url), {
    method: 'PATCH',
    headers: { 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' },
    body: bytes.subarray(0, 1500),
  })
  expect(sent.status).toBe(204)
  return { client, id }
}

/** What is known of an upload, by everybody and on the disk. */
async function stateOf(client: JsonClient, id: string) {
  const { uploadedBytes, missingChunks } = await client.progressed(id)
  const journal = await readFile(join(server.dataDir, 'uploads', id, 'journal'))
  return { uploadedBytes, missingChunks, journal: sha256(journal) }
}

const BOTH = `${contentDigest(bytes)}, ${contentDigest(bytes, 'sha512')}`

describe('the Content-Digest of a chunk', () => {
  it.each([
    ['sha-256', contentDigest(bytes), contentDigest(other)],
    ['sha-512', contentDigest(bytes, 'sha512'), contentDigest(other, 'sha512')],
    ['both', BOTH, `${contentDigest(bytes)}, ${contentDigest(other, 'sha512')}`],
    [
      'sha-512 beside one that is not known',
      `md5=:AA==:, ${contentDigest(bytes, 'sha512')}`,
      contentDigest(other, 'sha512'),
    ],
  ])(
    'in %s is verified, as a header and as a trailer; wrong it is 422 and nothing is kept',
    async (_what, right, wrong) => {
      const { client, id } = await begin()
      const was = await stateOf(client, id)
      const asTrailer = (number: number, digest: string) =>
        client.call('POST', client.target(id, 'chunks'), {
          headers: { ...chunkHeaders(number), Trailer: 'Content-Digest' },
          body: [bytes.subarray(0, 1000), bytes.subarray(1000)],
          trailers: { 'Content-Digest': digest },
        })
      const failure = failureOf(await client.chunk(id, 0, bytes, { 'Content-Digest': wrong }), 422, 'CHECKSUM_MISMATCH')
      expect(failure.details).toMatchObject({ chunkNumber: 0, algorithm: expect.stringMatching(/^sha(256|512)$/) })
      failureOf(await asTrailer(0, wrong), 422, 'CHECKSUM_MISMATCH')
      failureOf(await asTrailer(1, wrong), 422, 'CHECKSUM_MISMATCH')
      expect(await stateOf(client, id)).toEqual(was)

      expect((await client.chunk(id, 0, bytes, { 'Content-Digest': right })).status).toBe(200)
      expect((await asTrailer(1, right)).status).toBe(200)
      // The same again, over a chunk that is durable.
      failureOf(await asTrailer(1, wrong), 422, 'CHECKSUM_MISMATCH')
      expect((await asTrailer(1, right)).status).toBe(200)
      expect(await client.completed(id)).toMatchObject({ checksum: sha256(Buffer.concat([bytes, bytes])) })
    },
  )

  it.each([
    ['does not come', {}],
    ['cannot be read', { 'Content-Digest': 'sha-512=:AAAA:' }],
    ['is of no algorithm that is checked', { 'Content-Digest': 'md5=:AA==:' }],
  ])('that is announced as a trailer and %s is 400, and nothing is kept', async (_what, trailers) => {
    const { client, id } = await begin()
    const was = await stateOf(client, id)
    const answer = await client.call('POST', client.target(id, 'chunks'), {
      headers: { ...chunkHeaders(0), Trailer: 'Content-Digest' },
      body: [bytes],
      trailers,
    })
    expect(failureOf(answer, 400, 'INVALID_REQUEST').details).toEqual({ field: 'Content-Digest' })
    expect(await stateOf(client, id)).toEqual(was)
  })

  it('is verified as a trailer beside an X-Chunk-Checksum, which may be one itself', async () => {
    const { client, id } = await begin()
    const send = (announced: string, headers: Record<string, string>, trailers: Record<string, string>) =>
      client.call('POST', client.target(id, 'chunks'), {
        headers: { ...chunkHeaders(0), Trailer: announced, ...headers },
        body: [bytes],
        trailers,
      })
    const hex = { 'X-Chunk-Checksum': sha256(bytes) }
    const wrong = { 'Content-Digest': contentDigest(other) }
    failureOf(await send('Content-Digest', hex, wrong), 422, 'CHECKSUM_MISMATCH')
    failureOf(await send('X-Chunk-Checksum', {}, { 'X-Chunk-Checksum': sha256(other) }), 422, 'CHECKSUM_MISMATCH')
    expect((await send('X-Chunk-Checksum', { 'Content-Digest': contentDigest(bytes) }, hex)).status).toBe(200)
  })
})
