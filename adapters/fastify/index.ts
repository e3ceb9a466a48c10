/**
 * The Fastify plugin: both faces as real routes, so that an application's hooks, limits and logs apply to them.
 *
 * @example
 * await app.register(holdfast, { storage: new FileStorage({ directory: './data' }) })
 * @module
 */
import fastifyPlugin from 'fastify-plugin'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { createUploads, type Authenticate, type Uploads, type UploadsOptions } from '../../src/index.ts'
import { Faces, type FaceOptions } from '../faces.ts'
import { rememberFaces } from './framework-errors.ts'
import { checkRateLimit, type RateLimitOptions } from './rate-limit.ts'
import { type Middleware, registerFaces } from './register-faces.ts'

export { frameworkErrors } from './framework-errors.ts'
export { openApiDocument, type OpenApiOptions } from '../openapi-document.ts'
export type { OpenApiDocument } from '../../src/json/index.ts'
export type { CorsOptions } from '../cors.ts'
export type { FaceOptions }
export type { RateLimitOptions }

declare module 'fastify' {
  interface FastifyInstance {
    /** The core that the holdfast plugin serves. */
    uploads: Uploads
  }
}

/** What both ways to register the plugin share. */
export interface HoldfastFaceOptions extends FaceOptions {
  /** Says who sends a request, on both faces; null is answered 401. @default that of `uploads`, or nobody is asked */
  readonly authenticate?: Authenticate<FastifyRequest>
  /** Express or Connect middleware that runs, in this order, ahead of both faces and of `authenticate`. @default none */
  readonly middleware?: readonly Middleware[]
  /**
   * How many requests a client may send to the JSON API and the finished files, chunks included; more are 429. Where state is
   * in Redis all nodes count together. The tus face is never limited. @default as many as it likes
   */
  readonly rateLimit?: RateLimitOptions
}

/** Options of the plugin: uploads that the application made (and opens), or what to make them of. */
export type HoldfastOptions =
  | (HoldfastFaceOptions & { readonly uploads: Uploads })
  | (HoldfastFaceOptions & Omit<UploadsOptions, 'authenticate'> & { readonly uploads?: undefined })

/**
 * Serves tus and the JSON API, and decorates the application with `app.uploads`. `app.close()` ends the bodies under way
 * after every byte received is durable. Hooks that are to guard both faces are added before the plugin is loaded: with
 * Fastify, what `await app.register(…)` has loaded does not see hooks that come after it.
 *
 * Fastify answers requests that come while it closes with a 503 of its own, after which tus clients start over: make the
 * application with `return503OnClosing: false`. `frameworkErrors` gives undecodable addresses the API's form. A storage
 * that waits for another process to let go may take longer to open than the default `pluginTimeout` of 10 s.
 */
export const holdfast = fastifyPlugin(plugin, { name: 'holdfast', fastify: '5.x' })

export default holdfast

async function plugin(app: FastifyInstance, options: HoldfastOptions): Promise<void> {
  const { authenticate, middleware = [], rateLimit, ...rest } = options
  if (rateLimit !== undefined) checkRateLimit(rateLimit)
  const uploads = rest.uploads ?? createUploads(withLog(app, rest))
  const made = options.uploads === undefined
  // A prefix of the scope in which the application registers the plugin is part of every address.
  const faces = new Faces(uploads, withPrefix(app.prefix, options))

  rememberFaces(app, faces)
  app.decorate('uploads', uploads)
  if (made) app.addHook('onReady', () => uploads.open())
  let closing: Promise<void> | undefined
  // `onClose` comes only after the last body has ended by itself. `preClose` is cut off after `pluginTimeout`: what is
  // still being made durable then is waited for after all.
  app.addHook('preClose', () => (closing = uploads.close()))
  app.addHook('onClose', () => closing ?? uploads.close())
  const asked = authenticate === undefined ? authenticateByNode(uploads) : authenticate
  app.register(async (scope) => registerFaces(scope, { faces, uploads, authenticate: asked, middleware, rateLimit }))
}

function authenticateByNode({ authenticate }: Uploads): Authenticate<FastifyRequest> | undefined {
  return authenticate === null ? undefined : ({ raw }) => authenticate(raw)
}

function withLog(app: FastifyInstance, options: UploadsOptions): UploadsOptions {
  return { onError: (error, where) => app.log.error({ err: error }, `holdfast: ${where}`), ...options }
}

function withPrefix(prefix: string, options: HoldfastOptions): FaceOptions {
  const { tusPath = '/files', apiPrefix = '/api/v1/uploads', filesPrefix } = options
  const idle = options.uploads === undefined ? options.idleTimeoutMs : undefined
  return {
    ...(idle === undefined ? {} : { bodyTimeoutMs: idle }),
    ...options,
    tusPath: prefix + tusPath,
    apiPrefix: apiPrefix === false ? false : prefix + apiPrefix,
    ...(typeof filesPrefix === 'string' ? { filesPrefix: prefix + filesPrefix } : {}),
  }
}
