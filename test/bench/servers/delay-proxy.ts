/**
 * A way to a server that is far: `node delay-proxy.js TARGET MILLISECONDS`. Requests go on as they come; every byte of an
 * answer comes so much later. It looks at none of them, to cost little.
 */
import { type AddressInfo, connect, createServer } from 'node:net'

const [target = '', milliseconds = ''] = process.argv.slice(2)
const { hostname, port } = new URL(target)

const server = createServer({ noDelay: true }, (near) => {
  const far = connect({ host: hostname, port: Number(port), noDelay: true })
  for (const socket of [near, far]) {
    socket.on('error', () => {
      near.destroy()
      far.destroy()
    })
  }
  near.pipe(far)
  // Timers of one length end in the order in which they were set.
  far.on('data', (bytes: Buffer) => setTimeout(() => near.write(bytes), Number(milliseconds)))
  far.on('end', () => setTimeout(() => near.end(), Number(milliseconds)))
})
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
