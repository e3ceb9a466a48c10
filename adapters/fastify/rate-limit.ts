import { callbackify } from 'node:util'
import rateLimit, { type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { UploadError, type Authenticate, type RateCounter } from '../../src/index.ts'

/** How many requests one client may send to the JSON API. */
export interface RateLimitOptions {
  /** Requests in a window of time: of a principal, or, where there is none, of an address. */
  readonly max: number
  /** How long a window is, ms. It begins with the first request. */
  readonly windowMs: number
}

/** What the limit is made of. */
export interface RateLimitContext {
  readonly limit: RateLimitOptions
  readonly authenticate: Authenticate<FastifyRequest> | undefined
  /** Counts for all processes; null: this one counts for itself. */
  readonly counter: RateCounter | null
}

/**
 * Checks the options.
 * @throws TypeError naming the option that is wrong
 */
export function checkRateLimit({ max, windowMs }: RateLimitOptions): void {
  for (const [name, value] of Object.entries({ max, windowMs })) {
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new TypeError(`holdfast: \`rateLimit.${name}\` must be a positive whole number, not ${String(value)}`)
  }
}

/**
 * Limits the requests to all routes that the scope is given after this, together. It is the last hook ahead of a handler,
 * so that `authenticate` sees what the hooks of the application have put on a request; no body has been read by then.
 */
export async function limitRate(scope: FastifyInstance, context: RateLimitContext): Promise<void> {
  const { limit, counter } = context
  await scope.register(rateLimit, {
    max: limit.max,
    timeWindow: limit.windowMs,
    hook: 'preHandler',
    // A preflight brings no credentials, and a browser sends one as it likes.
    allowList: isPreflight,
    keyGenerator: (request) => (isPreflight(request) ? '' : keyOf(request, context)),
    errorResponseBuilder: (_request, { max, ttl }) => {
      const seconds = Math.max(1, Math.ceil(ttl / 1000))
      return new UploadError('RATE_LIMITED', {
        message: `More than ${max} requests in ${limit.windowMs / 1000} s. Try again in ${seconds} s.`,
        details: { max, windowMs: limit.windowMs, retryAfterSeconds: seconds },
      })
    },
    ...(counter === null ? {} : { store: storeOf(counter) }),
    // A limit that cannot be counted must not end uploads.
    skipOnError: true,
  })
}

function isPreflight({ method }: FastifyRequest): boolean {
  return method === 'OPTIONS'
}

/** Who sends a request. Whoever has no good credentials is told so by the face; until then it counts for its address. */
async function keyOf(request: FastifyRequest, { authenticate }: RateLimitContext): Promise<string> {
  const principal = await Promise.resolve(authenticate?.(request)).catch(() => null)
  return typeof principal?.id === 'string' && principal.id !== ''
    ? `user:${principal.id}`
    : `address:${addressOf(request)}`
}

/** As far as the application trusts its proxies. Whoever has one address of IPv6 has a whole network of them. */
function addressOf({ ip }: FastifyRequest): string {
  return rateLimit.normalizeIP(ip)
}

/** The counts of all processes, in the form in which they are asked for. */
function storeOf(counter: RateCounter): FastifyRateLimitStoreCtor {
  return class SharedStore {
    incr(
      key: string,
      done: (error: Error | null, result?: { current: number; ttl: number }) => void,
      ms: number,
    ): void {
      callbackify(async () => {
        const { count, leftMs } = await counter.count(key, ms)
        return { current: count, ttl: leftMs }
      })(done)
    }

    child(): SharedStore {
      return this
    }
  }
}
