import type { IncomingMessage, ServerResponse } from 'node:http'
import middie from '@fastify/middie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Principal, Uploads } from '../../src/index.ts'
import type { FaceReply } from '../../src/json/index.ts'
import type { Faces, Visit } from '../faces.ts'
import type { FaceName } from '../failures.ts'
import { pathOfTarget } from '../paths.ts'
import { sendReply } from './send-reply.ts'

/** An Express or Connect middleware. What it puts on the request reaches `authenticate` as `request.raw`. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void

/** What the routes work with. */
export interface RouteContext {
  readonly faces: Faces
  readonly uploads: Uploads
  readonly middleware: readonly Middleware[]
  readonly authenticate: ((request: FastifyRequest) => Principal | null | Promise<Principal | null>) | undefined
}

/**
 * An id as a route's parameter. Anything else falls through to the wildcard: the router answers a plain parameter that is
 * longer than the application's `maxParamLength` with a 414 in a form of its own.
 */
const ID_PARAMETER = ':id([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})'

/** Registers both faces in a scope of their own. */
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

  registerFace(scope, context, 'tus', [])
  registerFace(
    scope,
    context,
    'json',
    faces.jsonRoutes.map(({ method, pattern }) => ({ method, url: pattern.replace(':id', ID_PARAMETER) })),
  )
}

interface KnownRoute {
  readonly method: string
  readonly url: string
}

function registerFace(
  parent: FastifyInstance,
  context: RouteContext,
  face: FaceName,
  known: readonly KnownRoute[],
): void {
  const { faces, uploads, authenticate } = context
  const mount = faces.mounts[face].slice(parent.prefix.length)

  const send = (request: FastifyRequest, reply: FastifyReply, answer: FaceReply): Promise<FastifyReply> =>
    sendReply(request, reply, answer, uploads)
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const visit: Visit = {
      face,
      raw: request.raw,
      path: pathOfTarget(request.raw.url ?? '/'),
      requestId: request.id,
      authenticate: authenticate === undefined ? undefined : () => authenticate(request),
    }
    return send(request, reply, await faces.answer(visit))
  }

  parent.register(async (scope) => {
    // What hooks throw and the framework refuses, in the form of the face.
    scope.setErrorHandler(async (error, request, reply) =>
      send(request, reply, faces.fail({ face, raw: request.raw, requestId: request.id }, error)),
    )
    for (const { method, url } of known) scope.route({ method, url: mount + url, exposeHeadRoute: false, handler })
    // Every method: the face answers those it does not have with 405, and what it does not know with 404.
    for (const url of [mount, `${mount}/*`]) {
      scope.route({ method: scope.supportedMethods, url, exposeHeadRoute: false, handler })
    }
  })
}
