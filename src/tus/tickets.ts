import type { TusRequest } from './tus-request.ts'

/**
 * The requests that are on their way through @tus/server. Its stores are told of an id and an offset and of nothing else of
 * a request: so each request goes through it under a ticket in place of its upload's id.
 *
 * (AsyncLocalStorage would do, but on Node 20 its first use makes every promise of the process dearer.)
 */
export class Tickets {
  readonly #requests = new Map<string, TusRequest>()
  readonly #tickets = new WeakMap<object, string>()
  #next = 0

  /** Runs work on `web`, the request as @tus/server sees it, with `request` at hand. */
  async use<T>(request: TusRequest, web: object, work: () => Promise<T>): Promise<T> {
    const ticket = `request-${(this.#next += 1)}`
    this.#requests.set(ticket, request)
    this.#tickets.set(web, ticket)
    try {
      return await work()
    } finally {
      this.#requests.delete(ticket)
    }
  }

  /** The ticket of a request, which @tus/server takes for an upload's id. */
  ticketOf(web: object): string {
    const ticket = this.#tickets.get(web)
    if (ticket === undefined) throw new Error('a request without a ticket')
    return ticket
  }

  /** The request that goes under a ticket. */
  requestOf(ticket: string): TusRequest {
    const request = this.#requests.get(ticket)
    if (request === undefined) throw new Error('a ticket whose request is over')
    return request
  }
}
