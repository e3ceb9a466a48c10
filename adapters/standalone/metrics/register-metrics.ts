import Fastify, { type FastifyInstance } from 'fastify'
import type { Metrics } from './metrics.ts'

/** `GET /metrics`, in the text format of Prometheus. */
export function registerMetrics(app: FastifyInstance, { registry }: Pick<Metrics, 'registry'>): void {
  app.get('/metrics', async (_request, reply) =>
    reply.headers({ 'Content-Type': registry.contentType, 'Cache-Control': 'no-store' }).send(await registry.metrics()),
  )
}

/**
 * Serves the metrics on a port of their own. Returns what closes it.
 * @throws the system's error when the port cannot be had
 */
export async function serveMetrics(
  metrics: Pick<Metrics, 'registry'>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const app = Fastify()
  registerMetrics(app, metrics)
  const url = await app.listen({ host, port })
  return { url, close: () => app.close() }
}
