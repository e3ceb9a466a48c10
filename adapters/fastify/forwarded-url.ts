import type { FastifyRequest } from 'fastify'

/** A host and perhaps a port, and nothing more. */
const AUTHORITY = /^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i

/**
 * Scheme and host under which a client reached the proxy in front of the application, where that proxy says so and the
 * application trusts it (`trustProxy`); otherwise undefined.
 */
export function forwardedUrl(request: FastifyRequest): string | undefined {
  const { 'x-forwarded-host': host, 'x-forwarded-proto': protocol } = request.raw.headers
  if (host === undefined && protocol === undefined) return undefined
  // The sender of the connection, and whom it speaks for as far as it is trusted. Where it is not, it stands alone, and
  // Fastify falls back to the Host header, which anybody may write.
  if ((request.ips?.length ?? 0) < 2) return undefined
  const { protocol: scheme, host: authority } = request
  return /^https?$/.test(scheme) && AUTHORITY.test(authority) ? `${scheme}://${authority}` : undefined
}
