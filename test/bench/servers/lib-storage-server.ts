/**
 * The SDK's own way to send a stream to S3, with nothing in between: `node lib-storage-server.js ENDPOINT BUCKET PART_SIZE`.
 * `POST /BYTES` has it upload so many bytes of its own memory, in pieces as a file or a socket gives them, and is answered
 * when the object is there.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'

const PIECE = 64 * 1024
const [endpoint = '', bucket = '', partSize = ''] = process.argv.slice(2)
const client = new S3Client({ endpoint, forcePathStyle: true })
const pieces = Array.from({ length: 64 }, () => randomBytes(PIECE))

function* bytesOf(size: number): Generator<Buffer> {
  for (let at = 0; at < size; at += PIECE) {
    const piece = pieces[(at / PIECE) % pieces.length] ?? Buffer.alloc(PIECE)
    yield piece.subarray(0, Math.min(PIECE, size - at))
  }
}

const server = createServer((request, response) => {
  request.resume()
  const size = Number((request.url ?? '').slice(1))
  const params = { Bucket: bucket, Key: randomUUID(), Body: Readable.from(bytesOf(size), { objectMode: false }) }
  new Upload({ client, params, partSize: Number(partSize) }).done().then(
    () => response.writeHead(201, { 'Content-Length': 0 }).end(),
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`listening on http://127.0.0.1:${port}`)
})
