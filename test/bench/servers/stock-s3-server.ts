/** A stock @tus/server over its own S3 store: `node stock-s3-server.js ENDPOINT BUCKET PART_SIZE`. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Store } from '@tus/s3-store'
import { Server } from '@tus/server'

const [endpoint = '', bucket = '', partSize = ''] = process.argv.slice(2)
const datastore = new S3Store({
  partSize: Number(partSize),
  s3ClientConfig: { endpoint, bucket, forcePathStyle: true },
})
const tus = new Server({ path: '/files', datastore })
const server = createServer((request, response) => void tus.handle(request, response))
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`listening on http://127.0.0.1:${port}/files`)
})
