import type { FastifyInstance } from 'fastify'

const WATCH_MS = 100

/**
 * Makes what closes an application, and counts its requests from now on: Node takes a connection that never sent a
 * request for a busy one until its headers time out. Such connections are closed as soon as no request is under way.
 */
export function createCloser(app: FastifyInstance): () => Promise<void> {
  let underWay = 0
  app.server.on('request', (_request, response) => {
    underWay += 1
    response.once('close', () => (underWay -= 1))
  })
  return async () => {
    const watch = setInterval(() => {
      if (!app.server.listening && underWay === 0) app.server.closeAllConnections()
    }, WATCH_MS)
    try {
      await app.close()
    } finally {
      clearInterval(watch)
    }
  }
}
