import { Server } from '@tus/server'
import { mustTakeBytes } from '../concatenation.ts'
import { toUploadError, UploadError } from '../errors.ts'
import { withToken, type FaceReply, type FaceRequest } from '../http.ts'
import type { Uploads } from '../uploads.ts'
import { CoreStore } from './core-store.ts'
import { createFinal } from './create-final.ts'
import { get } from './get.ts'
import { makeUpload } from './make-upload.ts'
import { errorReply, finishReply, fromResponse, thrownReply } from './reply.ts'
import { effectiveMethod, headersForTus, isPlainCreation, refuseVersion } from './request-headers.ts'
import { readCreation, readPatch } from './requests.ts'
import { Tickets } from './tickets.ts'
import type { Patch, TusRequest } from './tus-request.ts'
import { readUploadConcat } from './upload-concat.ts'

/** What the tus face is made of. */
export interface TusFaceOptions {
  readonly uploads: Uploads
  /** Where it is mounted, with the leading slash: stands in `Location`. */
  readonly path: string
  /** Scheme and host for an absolute `Location`. @default a relative one */
  readonly publicUrl?: string
  /** Whether `Location` carries the upload's token. @default false */
  readonly tokenInLocation?: boolean
}

/** Methods of one upload, and of the collection. */
const UPLOAD_METHODS: readonly string[] = ['HEAD', 'PATCH', 'DELETE', 'GET', 'OPTIONS']
const COLLECTION_METHODS: readonly string[] = ['POST', 'OPTIONS']

/**
 * The tus 1.0 face: @tus/server's handlers over the core. Bodies are read from the Node request by the core; what
 * @tus/server answers otherwise than the specification says is answered before @tus/server sees it.
 */
export class TusFace {
  readonly #options: TusFaceOptions
  readonly #uploads: Uploads
  readonly #server: Server
  readonly #tickets = new Tickets()

  constructor(options: TusFaceOptions) {
    const tickets = this.#tickets
    this.#options = options
    this.#uploads = options.uploads
    this.#server = new Server({
      path: options.path,
      datastore: new CoreStore(options.uploads, tickets),
      // Locks are the core's own.
      locker: { newLock: () => ({ lock: async () => {}, unlock: async () => {} }) },
      lockDrainTimeout: 1,
      maxSize: options.uploads.maxFileSize ?? 0,
      namingFunction: (web) => tickets.ticketOf(web),
      getFileIdFromRequest: (web) => tickets.ticketOf(web),
      generateUrl: (_web, { id: ticket }) => this.#urlOf(tickets.requestOf(ticket)),
      onResponseError: (web, error) => {
        tickets.requestOf(tickets.ticketOf(web)).error = error
        return replyTo(error)
      },
    })
  }

  /** Answers one request. Never throws. */
  async handle(request: FaceRequest): Promise<FaceReply> {
    const method = effectiveMethod(request.raw.method ?? 'GET', request.raw.headers)
    const tus: TusRequest = {
      method,
      id: null,
      raw: request.raw,
      publicUrl: request.publicUrl,
      caller: request.caller,
      token: null,
      create: null,
      createdOffset: null,
      patch: null,
      upload: null,
      offsetWithheld: false,
      error: undefined,
    }
    try {
      tus.id = uploadId(request.path)
      return finishReply(tus, await this.#answer(tus))
    } catch (error) {
      return finishReply({ ...tus, error }, errorReply(error))
    }
  }

  async #answer(tus: TusRequest): Promise<FaceReply> {
    const { method, raw } = tus
    refuseMethod(method, tus.id)
    if (method === 'GET') return get(this.#uploads, tus.id ?? '', tus)
    refuseVersion(method, raw.headers)
    if (method === 'POST') {
      const concat = readUploadConcat(raw.headers, this.#options.path)
      // @tus/server answers every Upload-Concat with 501.
      if (concat?.kind === 'final') return createFinal(this.#uploads, tus, concat, () => this.#urlOf(tus))
      tus.create = readCreation(raw, this.#uploads.maxFileSize, concat)
      if (isPlainCreation(raw.headers, this.#uploads.maxFileSize)) return this.#create(tus)
    }
    if (method === 'PATCH') tus.patch = await this.#readPatch(tus)
    const headers = headersForTus(method, raw.headers)
    const web = new Request(`http://holdfast.invalid${this.#server.options.path}/upload`, { method, headers })
    const reply = await fromResponse(await this.#tickets.use(tus, web, () => this.#server.handleWeb(web)))
    return reply.status === 201 ? { ...reply, headers: { ...reply.headers, ...reached(tus) } } : reply
  }

  /** A creation of which @tus/server has nothing to say: not to ask it makes a small file a tenth cheaper. */
  async #create(tus: TusRequest): Promise<FaceReply> {
    try {
      await makeUpload(this.#uploads, tus)
    } catch (error) {
      tus.error = error
      return thrownReply(error)
    }
    return { status: 201, headers: { Location: this.#urlOf(tus), ...reached(tus) }, body: null }
  }

  /** "This header MUST be included in every PATCH response if the upload is going to expire": also where it is refused unread. */
  async #readPatch(tus: TusRequest): Promise<Patch> {
    try {
      return readPatch(tus.raw)
    } catch (error) {
      // Where there is no upload, that is what is wrong: "it SHOULD return a 404 Not Found status".
      tus.upload = await this.#uploads.find(tus.id ?? '', tus.caller)
      // "The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL".
      mustTakeBytes(tus.upload)
      throw error
    }
  }

  /** Where the upload of a request is found. */
  #urlOf({ id, token, publicUrl }: TusRequest): string {
    const address = `${this.#options.publicUrl ?? publicUrl ?? ''}${this.#options.path}/${id}`
    return withToken(address, this.#options.tokenInLocation === true ? token : null)
  }
}

/** The id a path names, or null for the collection. A path that names neither is an upload that does not exist. */
function uploadId(path: string): string | null {
  const segment = path.replace(/^\//, '').replace(/\/$/, '')
  if (segment === '') return null
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new UploadError('UPLOAD_NOT_FOUND')
  }
}

function refuseMethod(method: string, id: string | null): void {
  const allowed = id === null ? COLLECTION_METHODS : UPLOAD_METHODS
  if (allowed.includes(method)) return
  throw new UploadError('METHOD_NOT_ALLOWED', {
    message: `${method} is not supported here; supported are ${allowed.join(', ')}.`,
    details: { allow: allowed },
  })
}

/** Where the body of a creation has come to. */
function reached({ createdOffset }: TusRequest): Record<string, string> {
  return createdOffset === null ? {} : { 'Upload-Offset': String(createdOffset) }
}

/** @tus/server's own errors, and ours, reach the client as they are; of anything else it is told nothing. */
function replyTo(error: unknown): { status_code: number; body: string } | undefined {
  if (typeof error === 'object' && error !== null && 'status_code' in error) return undefined
  const { status_code, body } = toUploadError(error)
  return { status_code, body }
}
