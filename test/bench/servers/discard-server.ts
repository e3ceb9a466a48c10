/**
 * A Node server that takes tus bodies and throws them away: what any server in Node costs before it has done anything with
 * a byte. `node discard-server.js`
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    if (request.method === 'POST') response.writeHead(201, { Location: '/files/1', 'Content-Length': 0 })
    else response.writeHead(204)
    response.end()
  })
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`listening on http://127.0.0.1:${port}/files`)
})
