import type { IncomingMessage, ServerResponse } from 'node:http'
import middie from '@fastify/middie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Authenticate, Uploads } from '../../src/index.ts'
import type { FaceReply } from '../../src/json/index.ts'
import type { Faces, Visit } from '../faces.ts'
import type { FaceName } from '../failures.ts'
import { pathOfTarget } from '../paths.ts'
import { forwardedUrl } from './forwarded-url.ts'
import { limitRate, type RateLimitOptions } from './rate-limit.ts'
import { sendReply } from './send-reply.ts'

/** An Express or Connect middleware. What it puts on the request reaches `authenticate` as `request.raw`. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void

/** What the routes work with. */
export interface RouteContext {
  readonly faces: Faces
  readonly uploads: Uploads
  readonly middleware: readonly Middleware[]
  readonly authenticate: Authenticate<FastifyRequest> | undefined
  readonly rateLimit: RateLimitOptions | undefined
}

/**
 * An id as a route's parameter. Anything else falls through to the wildcard: the router answers a plain parameter that is
 * longer than the application's `maxParamLength` with a 414 in a form of its own.
 */
const ID_PARAMETER = ':id([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})'

/** Registers the faces in a scope of their own. */
export async function registerFaces(scope: FastifyInstance, context: RouteContext): Promise<void> {
  const { faces, middleware } = context
  if (middleware.length > 0) {
    await scope.register(middie)
    // Without a path: what is mounted on one can be walked around by writing the path otherwise.
    for (const one of middleware) scope.use(one)
  }
  // The faces read the body from the Node request. An application's parsers, which a scope inherits, would eat it.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null))

  // A limit asks too, and whoever says who it is is asked once for each request.
  const once = { ...context, authenticate: askedOnce(context.authenticate) }
  const register = (parent: FastifyInstance, isMeant: (face: FaceName) => boolean): void => {
    for (const [face, mount] of faces.mounts)
      if (isMeant(face)) registerFace(parent, once, face, mount.slice(scope.prefix.length))
  }
  // tus clients start over where a HEAD is answered 429, and give up where a PATCH is: they are never limited.
  register(scope, (face) => face === 'tus')
  scope.register(async (limited) => {
    const { rateLimit, uploads } = context
    if (rateLimit !== undefined) {
      await limitRate(limited, { limit: rateLimit, authenticate: once.authenticate, counter: uploads.rateCounter })
    }
    register(limited, (face) => face !== 'tus')
  })
}

function askedOnce(authenticate: RouteContext['authenticate']): RouteContext['authenticate'] {
  if (authenticate === undefined) return undefined
  const asked = new WeakMap<FastifyRequest, ReturnType<Authenticate>>()
  return (request) => {
    const answer = asked.get(request) ?? (async () => authenticate(request))()
    asked.set(request, answer)
    return answer
  }
}

function registerFace(parent: FastifyInstance, context: RouteContext, face: FaceName, mount: string): void {
  const { faces, uploads, authenticate } = context

  const send = (request: FastifyRequest, reply: FastifyReply, answer: FaceReply): Promise<FastifyReply> =>
    sendReply(request, reply, answer, uploads)
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const visit: Visit = {
      face,
      raw: request.raw,
      path: pathOfTarget(request.raw.url ?? '/'),
      requestId: request.id,
      publicUrl: forwardedUrl(request),
      authenticate: authenticate === undefined ? undefined : () => authenticate(request),
    }
    return send(request, reply, await faces.answer(visit))
  }

  const config: object = { cors: foreignCors(face, faces.ownsCors) }
  parent.register(async (scope) => {
    // What hooks throw and the framework refuses, in the form of the face.
    scope.setErrorHandler(async (error, request, reply) =>
      send(request, reply, faces.fail({ face, raw: request.raw, requestId: request.id }, error)),
    )
    for (const { method, pattern } of faces.routesOf(face)) {
      // The mount itself is registered below, for every method.
      if (pattern === '/') continue
      const url = mount + pattern.replace(':id', ID_PARAMETER)
      scope.route({ method, url, exposeHeadRoute: false, config, handler })
    }
    // Every method: the face answers those it does not have with 405, and what it does not know with 404.
    for (const url of [mount, `${mount}/*`]) {
      scope.route({ method: scope.supportedMethods, url, exposeHeadRoute: false, config, handler })
    }
  })
}

/**
 * What `@fastify/cors` of an application is told of a face's routes. It answers every OPTIONS itself, and those that are
 * no preflight with 400: so is tus's question what the server can do. CORS has one owner; where it is not the faces, they
 * still answer that question.
 */
function foreignCors(face: FaceName, owned: boolean): unknown {
  if (owned) return false
  return { strictPreflight: false, preflightContinue: face === 'tus' }
}
