/** A stock @tus/server over @tus/s3-store, or over its file store, as a subject of the campaign; its place is in the environment. */
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FileStore } from '@tus/file-store'
import { S3Store } from '@tus/s3-store'
import { Server } from '@tus/server'

const { DATA_DIR = '', S3_BUCKET, S3_ENDPOINT = '', AWS_REGION = '', CHUNK_SIZE = '' } = process.env
await mkdir(DATA_DIR, { recursive: true })
const datastore =
  S3_BUCKET === undefined
    ? new FileStore({ directory: DATA_DIR })
    : new S3Store({
        partSize: Number(CHUNK_SIZE),
        s3ClientConfig: { bucket: S3_BUCKET, endpoint: S3_ENDPOINT, region: AWS_REGION, forcePathStyle: true },
      })
const tus = new Server({ path: '/files', datastore, relativeLocation: true })
// Some of its downloads end with an error that nobody catches, which would end it: what it stores is to be seen.
process.on('uncaughtException', () => {})
process.on('unhandledRejection', () => {})
process.on('SIGTERM', () => process.exit(0))
const server = createServer((request, response) => void tus.handle(request, response))
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}/files`)
})
