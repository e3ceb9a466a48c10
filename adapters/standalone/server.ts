import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { createUploads, UploadError } from '../../src/index.ts'
import { failureReply } from '../../src/json/index.ts'
import { corsHeaders, corsRequest, type CorsOptions } from '../cors.ts'
import type { FaceOptions } from '../faces.ts'
import { frameworkErrors, holdfast } from '../fastify/index.ts'
import { rememberFailure } from '../failure-codes.ts'
import { filesBeside } from '../paths.ts'
import { requestIdOf } from '../request-id.ts'
import { createAuthentication } from './authentication/authentication.ts'
import { securitySchemes } from './authentication/security-schemes.ts'
import { accessWarnings } from './authentication/warnings.ts'
import { createClientErrorHandler } from './client-errors.ts'
import { createCloser } from './close-app.ts'
import { coreOptions } from './core-options.ts'
import type { Configuration } from './configuration.ts'
import { registerDocumentation } from './documentation/register-documentation.ts'
import { registerHealth } from './health.ts'
import { type PageOptions, registerPage } from './page/register-page.ts'
import { createServices } from './services.ts'
import { createMetrics } from './metrics/metrics.ts'
import { observeRequests } from './metrics/observe-requests.ts'
import type { Mounts } from './metrics/operation-of.ts'
import { observeUploads } from './metrics/observe-uploads.ts'
import { registerMetrics, serveMetrics } from './metrics/register-metrics.ts'
import { registerStats } from './metrics/stats-metrics.ts'
import { completeRequestLog, RequestLog } from './request-log.ts'
import { listenError, storageError } from './start-errors.ts'

/**
 * Connections that may wait to be taken, as far as the system allows (`net.core.somaxconn`). Those of a crowd that comes at
 * once, after a restart, would else be dropped, and tried again after 1, 3, 7, 15 s.
 */
const BACKLOG = 4096

/**
 * Starts the server, which says in its log where it listens. Returns what closes it.
 * @throws Error in one line, for the operator, when storage or the address cannot be had
 */
export async function startServer(configuration: Configuration, log: FastifyBaseLogger): Promise<() => Promise<void>> {
  const { HOST, PORT, METRICS_PORT, TUS_PATH, API_PREFIX } = configuration
  const authenticate = await createAuthentication(configuration)
  const metrics = createMetrics()
  const services = await createServices(configuration, log, metrics)
  const uploads = createUploads({
    storage: services.storage,
    state: services.state,
    ...coreOptions(configuration),
    onError: (error, where) => log.error({ err: error }, where),
  })
  const app = createApp(log, configuration)
  const closeApp = createCloser(app)
  let closeMetrics = async (): Promise<void> => {}
  const close = async (): Promise<void> => {
    try {
      await closeApp()
    } finally {
      // Last: how a shutdown goes is worth looking at.
      await closeMetrics()
      await services.close()
    }
  }
  observeUploads(uploads, metrics)
  registerStats(metrics, uploads)
  observeRequests(app, mounts(configuration), metrics)
  registerHealth(app, { uploads })
  if (METRICS_PORT === null) registerMetrics(app, metrics)
  registerDocumentation(app, { ...faceOptions(configuration), ...securitySchemes(configuration) })
  await registerPage(app, pageOptions(configuration))
  app.register(holdfast, {
    uploads,
    ...(authenticate === null ? {} : { authenticate }),
    ...(configuration.RATE_LIMIT === null ? {} : { rateLimit: configuration.RATE_LIMIT }),
    ...faceOptions(configuration),
  })
  // Before anything else, and not by the plugin: a storage may have to wait for the process it takes over from, for
  // longer than Fastify lets a hook take.
  try {
    await uploads.open()
  } catch (error) {
    await services.close()
    throw storageError(error, configuration)
  }
  try {
    await app.listen({
      host: HOST,
      port: PORT,
      backlog: BACKLOG,
      listenTextResolver: (url) => `Holdfast is listening: tus ${url}${TUS_PATH}, JSON API ${url}${API_PREFIX}`,
    })
    if (METRICS_PORT !== null) {
      const served = await serveMetrics(metrics, { host: HOST, port: METRICS_PORT })
      closeMetrics = () => served.close()
      log.info(`Metrics are at ${served.url}/metrics`)
    }
  } catch (error) {
    await close()
    throw listenError(error, configuration)
  }
  for (const warning of accessWarnings(configuration)) log.warn(warning)
  return close
}

function createApp(log: FastifyBaseLogger, configuration: Configuration): FastifyInstance {
  const { TRUST_PROXY: trustProxy } = configuration
  const cors = corsOptions(configuration)
  const requestLog = new RequestLog()
  const app = Fastify({
    loggerInstance: log,
    logController: requestLog,
    genReqId: requestIdOf,
    trustProxy: typeof trustProxy === 'boolean' ? trustProxy : [...trustProxy],
    // Uploads take as long as they take; a body that stalls is ended by the core, headers by Node's own timeout.
    requestTimeout: 0,
    connectionTimeout: 0,
    // Longer than load balancers keep idle connections (60 s), so that none is closed under a request.
    keepAliveTimeout: 72_000,
    // A 503 makes tus clients start over: the core answers requests that come during a shutdown.
    return503OnClosing: false,
    frameworkErrors: requestLog.withRefusals(frameworkErrors),
    clientErrorHandler: createClientErrorHandler(cors),
  })
  app.setNotFoundHandler((request, reply) => {
    const answer = failureReply(new UploadError('NOT_FOUND'), request.id)
    const { status, headers, body } = answer
    rememberFailure(request.raw, answer)
    if (cors !== false) reply.headers(corsHeaders(cors, corsRequest(request.raw)))
    return reply.code(status).headers(headers).send(body)
  })
  completeRequestLog(app)
  // By itself Node lets headers beyond the 2,000th be missing in silence; how large they are together it bounds anyway.
  app.server.maxHeadersCount = 0
  return app
}

function mounts({ TUS_PATH, API_PREFIX }: Configuration): Mounts {
  return new Map([
    ['tus', TUS_PATH],
    ['json', API_PREFIX],
    ['files', filesBeside(API_PREFIX, TUS_PATH)],
  ])
}

function faceOptions(configuration: Configuration): FaceOptions {
  const { TUS_PATH, API_PREFIX, PUBLIC_URL, IDLE_TIMEOUT, TOKEN_IN_LOCATION } = configuration
  return {
    tusPath: TUS_PATH,
    apiPrefix: API_PREFIX,
    ...(PUBLIC_URL === null ? {} : { publicUrl: PUBLIC_URL }),
    tokenInLocation: TOKEN_IN_LOCATION,
    cors: corsOptions(configuration),
    bodyTimeoutMs: IDLE_TIMEOUT,
  }
}

function pageOptions({ TUS_PATH, API_PREFIX, PUBLIC_URL, AUTH }: Configuration): PageOptions {
  return { tusPath: TUS_PATH, apiPrefix: API_PREFIX, publicUrl: PUBLIC_URL, auth: AUTH ?? 'none' }
}

function corsOptions({ CORS_ORIGINS, CORS_CREDENTIALS }: Configuration): CorsOptions | false {
  return CORS_ORIGINS === 'off' ? false : { origins: CORS_ORIGINS, credentials: CORS_CREDENTIALS }
}
