/**
 * Both faces for Express, Connect and `node:http`.
 *
 * @example
 * app.use(holdfast({ uploads })) // before express.json(), and without a path
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { UploadError, type Authenticate, type Uploads } from '../../src/index.ts'
import { failureReply } from '../../src/json/index.ts'
import { Faces, type FaceOptions } from '../faces.ts'
import { troubleOf, warn } from '../failures.ts'
import { pathOfTarget } from '../paths.ts'
import { requestIdOf } from '../request-id.ts'
import { sendReply } from './send-reply.ts'

export type { CorsOptions } from '../cors.ts'
export type { FaceOptions }
export { openApiDocument, type OpenApiOptions } from '../openapi-document.ts'
export type { OpenApiDocument } from '../../src/json/index.ts'

/** Options of {@link holdfast}. */
export interface NodeOptions extends FaceOptions {
  /** The core. The application opens it before it listens, and closes it on shutdown. */
  readonly uploads: Uploads
  /** Says who sends a request, on both faces; null is answered 401. @default that of `uploads`, or nobody is asked */
  readonly authenticate?: Authenticate
  /** Told of requests that failed on this side. @default a warning of the process, which goes to stderr */
  readonly onError?: (error: unknown, request: IncomingMessage) => void
}

/** A middleware of Connect and Express, and a listener of `node:http`. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => void

/**
 * Makes a handler for both faces. Other paths go on to `next`; without one they are answered 404.
 * @throws TypeError naming the option that is wrong
 */
export function holdfast(options: NodeOptions): NodeHandler {
  const { uploads, authenticate = uploads.authenticate, onError = warn } = options
  const faces = new Faces(uploads, options)

  async function serve(raw: IncomingMessage, response: ServerResponse, next: (() => void) | undefined): Promise<void> {
    const path = fullPath(raw)
    const face = faces.faceAt(path)
    if (face === null && next !== undefined) return next()
    const requestId = requestIdOf(raw)
    const answer =
      face === null
        ? failureReply(new UploadError('NOT_FOUND'), requestId)
        : await faces.answer({
            face,
            raw,
            path,
            requestId,
            authenticate: authenticate === null ? undefined : () => authenticate(raw),
          })
    const trouble = troubleOf(answer)
    if (trouble !== undefined) onError(trouble, raw)
    await sendReply(raw, response, answer, uploads)
  }

  return (request, response, next) => {
    serve(request, response, next).catch((error: unknown) => {
      onError(error, request)
      response.destroy()
    })
  }
}

/** The whole path, also where Express or Connect has taken the path of a mount off the URL. */
function fullPath(raw: IncomingMessage): string {
  const { baseUrl, originalUrl } = raw as IncomingMessage & { readonly baseUrl?: string; readonly originalUrl?: string }
  const url = raw.url ?? '/'
  return pathOfTarget(baseUrl === undefined ? (originalUrl ?? url) : baseUrl + url)
}
