import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { UploadError } from '../../src/index.ts'
import { failureReply } from '../../src/json/index.ts'
import type { Faces } from '../faces.ts'
import { rememberFailure } from '../failure-codes.ts'
import { pathOfTarget } from '../paths.ts'

/** The faces of each application, by its HTTP server, which is one for all its scopes. */
const facesOf = new WeakMap<object, Faces>()

/** Remembers an application's faces for {@link frameworkErrors}. */
export function rememberFaces(app: FastifyInstance, faces: Faces): void {
  facesOf.set(app.server, faces)
}

/**
 * For `Fastify({ frameworkErrors })`: answers addresses that cannot be decoded in the form of the face they are under.
 * Fastify refuses them before it looks for a route, so no plugin can do this by itself.
 */
export function frameworkErrors(_error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const { raw, id: requestId } = request
  const faces = facesOf.get(request.server.server)
  const face = faces?.faceAt(pathOfTarget(raw.url ?? '/')) ?? null
  const answer =
    faces === undefined || face === null
      ? failureReply(new UploadError('NOT_FOUND'), requestId)
      : // Whatever stands there, nothing has that id.
        faces.fail({ face, raw, requestId }, new UploadError(face === 'files' ? 'FILE_NOT_FOUND' : 'UPLOAD_NOT_FOUND'))
  rememberFailure(raw, answer)
  void reply.code(answer.status).headers(answer.headers).send(answer.body)
}
