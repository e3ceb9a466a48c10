import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP proxy before a server, which can break connections as a bad network does. */
export interface CuttingProxy {
  /** Scheme, host and port. */
  readonly url: string
  /**
   * Lets this many bytes more through to the server, over all connections, and breaks the one that brings the next byte.
   * Resolves then with what was let through.
   */
  cutAfter(bytes: number): Promise<Buffer>
  close(): Promise<void>
}

interface Cut {
  left: number
  readonly passed: Buffer[]
  readonly done: (passed: Buffer) => void
}

/** Starts a proxy before the server at `target` (scheme, host and port). */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let cut: Cut | null = null

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (data: Buffer) => {
      const through = cut === null ? data : data.subarray(0, cut.left)
      if (cut !== null) {
        cut.left -= through.length
        cut.passed.push(through)
      }
      if (cut === null || through.length === data.length) {
        if (!upstream.write(through)) client.pause()
        return
      }
      const { passed, done } = cut
      cut = null
      client.pause()
      // What was let through has left before the connection breaks.
      upstream.write(through, () => {
        upstream.destroy()
        client.destroy()
        done(Buffer.concat(passed))
      })
    })
    upstream.on('drain', () => client.resume())
    upstream.on('data', (data: Buffer) => client.write(data))
    client.on('end', () => upstream.end())
    upstream.on('end', () => client.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: (bytes) => new Promise((done) => (cut = { left: bytes, passed: [], done })),
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** The offset up to which the last PATCH in what a proxy let through has brought bytes. */
export function offsetLetThrough(passed: Buffer): number {
  const begin = passed.lastIndexOf('PATCH /')
  const end = passed.indexOf('\r\n\r\n', begin)
  const offset = /^upload-offset: (\d+)/im.exec(passed.subarray(begin, end).toString('latin1'))?.[1]
  if (begin < 0 || end < 0 || offset === undefined) throw new Error('no PATCH was let through')
  return Number(offset) + passed.length - (end + 4)
}
