/**
 * The tus face alone, for whoever comes from @tus/server.
 *
 * @example
 * const server = new TusServer({ path: '/files', datastore: new FileStorage({ directory: './data' }) })
 * createServer((req, res) => server.handle(req, res)).listen(1080)
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createUploads, type Storage, type Uploads } from '../../src/index.ts'
import { warn } from '../failures.ts'
import { holdfast, type NodeHandler, type NodeOptions } from '../node/index.ts'

/** Options of {@link TusServer}, by the names that @tus/server has for them. */
export type TusServerOptions = TusPlaceOptions & (OwnUploads | LentUploads)

interface TusPlaceOptions extends Pick<NodeOptions, 'authenticate' | 'onError' | 'publicUrl' | 'tokenInLocation'> {
  /** Where it is mounted. */
  readonly path: string
  /** Origins of the web pages that may use it. @default any */
  readonly allowedOrigins?: readonly string[]
  /** Whether cookies may come along; needs `allowedOrigins`. @default false */
  readonly allowedCredentials?: boolean
  /** Request headers that pages may send beyond those of the protocol. @default none */
  readonly allowedHeaders?: readonly string[]
}

interface OwnUploads {
  /** Where bytes are kept. The first request opens it, `close()` closes it. */
  readonly datastore: Storage
  /** Size of the largest file: bytes, or a text such as '50GiB'. @default none */
  readonly maxSize?: number | string
  readonly uploads?: undefined
}

interface LentUploads {
  /** In the place of `datastore`: uploads that the application makes, opens and closes, with options of their own. */
  readonly uploads: Uploads
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof TusPlaceOptions | keyof OwnUploads>([
  'path',
  'datastore',
  'maxSize',
  'uploads',
  'authenticate',
  'onError',
  'publicUrl',
  'tokenInLocation',
  'allowedOrigins',
  'allowedCredentials',
  'allowedHeaders',
])

/** A tus 1.0 server for `node:http`, Express and Connect. */
export class TusServer {
  /** The core: its events, and what else there is to do with uploads. */
  readonly uploads: Uploads
  readonly #handler: NodeHandler
  readonly #onError: NonNullable<NodeOptions['onError']>
  #opened: Promise<void> | null

  /** @throws TypeError naming the option that is wrong */
  constructor(options: TusServerOptions) {
    refuseUnknown(options)
    const { path, allowedOrigins = '*', allowedCredentials = false, allowedHeaders = [], ...rest } = options
    const { uploads } = rest
    this.uploads = uploads ?? createUploads({ storage: rest.datastore, ...limit(rest.maxSize) })
    this.#opened = uploads === undefined ? null : Promise.resolve()
    this.#onError = rest.onError ?? warn
    this.#handler = holdfast({
      ...rest,
      onError: this.#onError,
      uploads: this.uploads,
      tusPath: path,
      apiPrefix: false,
      cors: { origins: allowedOrigins, credentials: allowedCredentials, requestHeaders: allowedHeaders },
    })
  }

  /** Answers a request. Other paths go on to `next`; without one they are answered 404. */
  handle(request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void {
    this.#opened ??= this.uploads.open()
    const answer = (): void => this.#handler(request, response, next)
    this.#opened.then(answer, (error: unknown) => {
      // The next request tries again; this one is told by the core, which finds storage closed.
      this.#opened = null
      this.#onError(error, request)
      answer()
    })
  }

  /** Ends the bodies under way after what they brought is durable, and closes the core. Idempotent. */
  close(): Promise<void> {
    return this.uploads.close()
  }
}

/** A hook that is passed over in silence would be missed much later. */
function refuseUnknown(options: object): void {
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.has(name))
  if (unknown === undefined) return
  throw new TypeError(
    `holdfast: TusServer has no option \`${unknown}\`. Hooks and limits are options of createUploads: pass it \`uploads\``,
  )
}

function limit(maxFileSize: number | string | undefined) {
  return maxFileSize === undefined ? {} : { maxFileSize }
}
