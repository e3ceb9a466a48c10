import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that went through. */
export interface PassedRequest {
  readonly method: string
  /** Where it went. */
  readonly node: string
  /** Null while there is no answer. */
  status: number | null
}

/**
 * The least of a load balancer: each request goes to the next node that takes connections; where none does, the client's
 * own is closed. Bodies and answers pass as they come; nothing is sent again.
 */
export class RoundRobin {
  readonly url: string
  readonly requests: PassedRequest[] = []
  /** Bytes of bodies that have passed. */
  bytes = 0
  readonly #server: Server
  readonly #nodes: () => readonly string[]
  #turn = 0
  #mark: { readonly bytes: number; readonly reached: () => void } | null = null

  private constructor(server: Server, nodes: () => readonly string[]) {
    this.#server = server
    this.#nodes = nodes
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('request', (incoming, answer) => this.#pass(incoming, answer, this.#nodes().length))
  }

  /** `nodes` tells the addresses of the nodes that are there. */
  static async start(nodes: () => readonly string[]): Promise<RoundRobin> {
    const server = createServer({ requestTimeout: 0 }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new RoundRobin(server, nodes)
  }

  /** Lets bodies pass up to so many bytes; resolves when they have, with the node that has the last one, which stays open. */
  async holdAt(bytes: number): Promise<string> {
    await new Promise<void>((reached) => (this.#mark = { bytes, reached }))
    const node = this.requests.findLast(({ method }) => method === 'PATCH')?.node
    if (node === undefined) throw new Error('No node has a body.')
    return node
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #pass(incoming: IncomingMessage, answer: ServerResponse, triesLeft: number): void {
    const nodes = this.#nodes()
    this.#turn += 1
    const node = nodes[this.#turn % nodes.length]
    if (node === undefined || triesLeft === 0) {
      // Not 502: a tus client that gets that to a HEAD starts over.
      answer.destroy()
      return
    }
    const { method = '', headers } = incoming
    const outgoing = request(new URL(incoming.url ?? '/', node), { method, headers, agent: false })
    const passed: PassedRequest = { method, node, status: null }
    let connected = false
    outgoing.once('socket', (socket) =>
      socket.once('connect', () => {
        connected = true
        this.requests.push(passed)
        incoming.pipe(outgoing)
        incoming.on('data', (piece: Buffer) => {
          if (passed.status !== null) return
          this.bytes += piece.length
          if (this.#mark === null || this.bytes < this.#mark.bytes) return
          incoming.unpipe(outgoing)
          incoming.pause()
          this.#mark.reached()
          this.#mark = null
        })
      }),
    )
    outgoing.once('response', (response) => {
      passed.status = response.statusCode ?? 0
      if (incoming.complete) answer.writeHead(passed.status, response.headers)
      else {
        // It has answered before the body was over: the rest is nobody's, as servers and proxies say.
        incoming.unpipe(outgoing)
        incoming.pause()
        answer.writeHead(passed.status, { ...response.headers, connection: 'close' })
        answer.once('finish', () => incoming.destroy())
      }
      response.pipe(answer)
    })
    outgoing.once('error', () => {
      if (!connected) this.#pass(incoming, answer, triesLeft - 1)
      else if (passed.status === null) answer.destroy()
    })
    answer.once('close', () => outgoing.destroy())
  }
}
