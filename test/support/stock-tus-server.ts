/** A stock @tus/server over its own file store, in which uploads expire: `node PROGRAM DIRECTORY`. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [directory = ''] = process.argv.slice(2)
const datastore = new FileStore({ directory, expirationPeriodInMilliseconds: 24 * 60 * 60 * 1000 })
const tus = new Server({ path: '/files', datastore, maxSize: 2 ** 40 })
// Some of its downloads end with an error that nobody catches, which would end it: what it answers is to be seen.
process.on('uncaughtException', () => {})
const server = createServer((request, response) => void tus.handle(request, response))
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`listening on http://127.0.0.1:${port}/files`)
})
