import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'

/** A way to a server on which bytes take their time: all connections share so many bytes a second. */
export class SlowProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #bytesPerSecond: number
  /** When the way is free again, on `performance.now`. */
  #freeAt = 0

  private constructor(target: URL, bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#server = createServer((socket) => {
      const upstream = connect(Number(target.port), target.hostname)
      for (const one of [socket, upstream]) {
        this.#sockets.add(one)
        one
          .on('error', () => {})
          .once('close', () => {
            this.#sockets.delete(one)
            socket.destroy()
            upstream.destroy()
          })
      }
      socket.pipe(this.#slowly()).pipe(upstream)
      upstream.pipe(socket)
    })
  }

  static async start(target: string, bytesPerSecond: number): Promise<SlowProxy> {
    const proxy = new SlowProxy(new URL(target), bytesPerSecond)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }

  #slowly(): Transform {
    return new Transform({
      transform: (bytes: Buffer, _encoding, done) => {
        const now = performance.now()
        this.#freeAt = Math.max(now, this.#freeAt) + (bytes.length / this.#bytesPerSecond) * 1000
        setTimeout(() => done(null, bytes), this.#freeAt - now)
      },
    })
  }
}
