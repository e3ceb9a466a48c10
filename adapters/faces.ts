import type { IncomingMessage } from 'node:http'
import {
  checkCorsOptions,
  corsHeaders,
  corsRequest,
  isPreflight,
  preflightHeaders,
  type CorsOptions,
  type CorsRequest,
} from './cors.ts'
import type { Uploads } from '../src/index.ts'
import { createFilesApi, createJsonApi, type FaceReply, type JsonApi, type JsonRoute } from '../src/json/index.ts'
import { TusFace } from '../src/tus/index.ts'
import { callerOf, type Login } from './caller.ts'
import { hasBody } from './drain-body.ts'
import { faceFailure, type FaceName } from './failures.ts'
import { checkMountPath, checkPublicUrl, filesBeside, isUnder, pathBelow } from './paths.ts'
import { rememberCreated, rememberFacts } from './request-facts.ts'

/** Where the faces are mounted, and who may use them from a browser. */
export interface FaceOptions {
  /** Path of the tus face. @default '/files' */
  readonly tusPath?: string
  /** Path of the JSON API; false for the tus face alone. @default '/api/v1/uploads' */
  readonly apiPrefix?: string | false
  /**
   * Path of the finished files; false for none. @default 'files' beside the JSON API: '/api/v1/files'; none without it
   */
  readonly filesPrefix?: string | false
  /** Address under which clients reach the server, for absolute `Location` and `tusUrl`. @default relative ones */
  readonly publicUrl?: string
  /**
   * Whether the tus `Location` and `tusUrl` carry the upload's token (`?token=…`), so that a tus client goes on with them
   * when its login has ended. They are then secrets until the upload ends. @default false
   */
  readonly tokenInLocation?: boolean
  /** Cross-origin use; false where something else answers it. @default any origin, no credentials */
  readonly cors?: CorsOptions | false
  /** How long the JSON body of a request may take to arrive, ms. @default 60 s */
  readonly bodyTimeoutMs?: number
}

/** A request on its way to a face. */
export interface Visit {
  readonly face: FaceName
  readonly raw: IncomingMessage
  /** The whole path, not decoded. */
  readonly path: string
  readonly requestId: string
  /** Scheme and host the client uses, where something trusted tells it. Without effect where `publicUrl` is configured. */
  readonly publicUrl?: string | undefined
  /** Asks who sent it. Absent: nobody is asked. */
  readonly authenticate: Login | undefined
}

/** The faces over one core, with what stands before them: CORS, then who asks. */
export class Faces {
  /** The faces there are, by where they are mounted. */
  readonly mounts: ReadonlyMap<FaceName, string>
  readonly #uploads: Uploads
  readonly #cors: CorsOptions | false
  readonly #json = new Map<FaceName, JsonApi>()
  readonly #tus: TusFace

  /** @throws TypeError naming the option that is wrong */
  constructor(uploads: Uploads, options: FaceOptions) {
    this.#uploads = uploads
    const tus = checkMountPath('tusPath', options.tusPath ?? '/files')
    const { apiPrefix = '/api/v1/uploads' } = options
    const json = apiPrefix === false ? null : checkMountPath('apiPrefix', apiPrefix)
    if (tus === json) throw new TypeError('holdfast: `tusPath` and `apiPrefix` must differ')
    const { filesPrefix = json === null ? false : filesBeside(json, tus) } = options
    const files = filesPrefix === false ? null : checkMountPath('filesPrefix', filesPrefix)
    if (files !== null && (files === tus || files === json)) {
      throw new TypeError('holdfast: `filesPrefix` must differ from `tusPath` and `apiPrefix`')
    }
    const publicUrl =
      options.publicUrl === undefined ? {} : { publicUrl: checkPublicUrl('publicUrl', options.publicUrl) }
    this.#cors = options.cors ?? { origins: '*', credentials: false }
    if (this.#cors !== false) checkCorsOptions(this.#cors)
    const { bodyTimeoutMs, tokenInLocation = false } = options
    this.mounts = new Map([
      ['tus', tus],
      ...(json === null ? [] : [['json', json] as const]),
      ...(files === null ? [] : [['files', files] as const]),
    ])
    const reading = bodyTimeoutMs === undefined ? {} : { bodyTimeoutMs }
    if (json !== null) {
      this.#json.set(
        'json',
        createJsonApi({ uploads, prefix: json, tusPath: tus, tokenInLocation, ...publicUrl, ...reading }),
      )
    }
    if (files !== null) this.#json.set('files', createFilesApi({ uploads }))
    this.#tus = new TusFace({ uploads, path: tus, tokenInLocation, ...publicUrl })
  }

  /** Whether CORS is answered here, and nobody else is to. */
  get ownsCors(): boolean {
    return this.#cors !== false
  }

  /** The operations of a face, to register as routes; tus has none of its own. */
  routesOf(face: FaceName): readonly JsonRoute[] {
    return this.#json.get(face)?.routes ?? []
  }

  /** The face that answers for a path, or null. */
  faceAt(path: string): FaceName | null {
    // Where one is mounted below the other, the deeper one is meant.
    const [deepest] = [...this.mounts]
      .filter(([, mount]) => isUnder(path, mount))
      .toSorted(([, one], [, other]) => other.length - one.length)
    return deepest?.[0] ?? null
  }

  /** Answers a request. Never throws. */
  async answer(visit: Visit): Promise<FaceReply> {
    const { face, raw, requestId } = visit
    const request = corsRequest(raw)
    // A preflight carries no credentials: it is answered before anybody is asked for them.
    if (this.#cors !== false && isPreflight(request)) return this.#preflight(visit, request, this.#cors)
    try {
      refuseTakenBody(raw)
      const path = pathBelow(visit.path, this.mounts.get(face) ?? '')
      const caller = await callerOf(this.#uploads, visit, path)
      rememberFacts(raw, face, path, caller)
      const asked = { raw, path, caller, requestId, publicUrl: visit.publicUrl }
      const reply = await (this.#json.get(face) ?? this.#tus).handle(asked)
      if (reply.status === 201) rememberCreated(raw, reply)
      return this.#finish(visit, reply)
    } catch (error) {
      return this.fail(visit, error)
    }
  }

  /** The answer to an error that was thrown around a face. */
  fail(visit: Pick<Visit, 'face' | 'raw' | 'requestId'>, thrown: unknown): FaceReply {
    return this.#finish(visit, faceFailure(visit.face, thrown, visit.requestId, visit.raw.method))
  }

  /** "A successful response [to OPTIONS] MUST contain the Tus-Version header": a preflight is one too. */
  async #preflight({ face, raw, path, requestId }: Visit, request: CorsRequest, cors: CorsOptions): Promise<FaceReply> {
    const headers = preflightHeaders(cors, request)
    const plain = { status: 204, headers, body: null }
    // Nobody was asked who this is: it must not be taken for the method that it says it means.
    if (face !== 'tus' || isOverridden(raw)) return plain
    const asked = { raw, path: pathBelow(path, this.mounts.get(face) ?? ''), caller: { principal: null }, requestId }
    const discovery = await this.#tus.handle(asked)
    return discovery.status === 204 ? { ...plain, headers: { ...discovery.headers, ...headers } } : plain
  }

  #finish({ raw, requestId }: Pick<Visit, 'raw' | 'requestId'>, reply: FaceReply): FaceReply {
    const cors = this.#cors === false ? {} : answerHeaders(this.#cors, corsRequest(raw))
    const vary = [reply.headers['Vary'], cors['Vary']].filter((value) => value !== undefined)
    return {
      ...reply,
      headers: {
        ...reply.headers,
        ...cors,
        ...(vary.length === 0 ? {} : { Vary: vary.join(', ') }),
        'X-Request-ID': requestId,
      },
    }
  }
}

function answerHeaders(cors: CorsOptions, request: CorsRequest): Record<string, string> {
  return { ...(request.method === 'OPTIONS' ? preflightHeaders(cors, request) : {}), ...corsHeaders(cors, request) }
}

/** Whether a request says that it means another method. */
function isOverridden({ headers }: IncomingMessage): boolean {
  return headers['x-http-method-override'] !== undefined
}

/** Bytes that something else has read are gone: storing what is left would store another file. */
function refuseTakenBody(raw: IncomingMessage): void {
  if (!hasBody(raw) || !(raw.readableEnded || raw.readableDidRead)) return
  throw new Error(
    `holdfast: the body of ${raw.method} ${raw.url?.split('?', 1)[0]} was read before it came here. ` +
      'Mount holdfast before body parsers such as express.json(), and keep hooks from reading request bodies.',
  )
}
