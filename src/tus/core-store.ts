import type { Readable } from 'node:stream'
import { DataStore, Upload as TusUpload } from '@tus/utils'
import type { Caller } from '../access.ts'
import { partsOf } from '../concatenation.ts'
import { isUploadError } from '../errors.ts'
import { gridOf, type Upload } from '../upload.ts'
import type { Settled, Uploads } from '../uploads.ts'
import { isOffsetOctetStream } from './request-headers.ts'
import type { Tickets } from './tickets.ts'
import type { Creation, Patch, TusRequest } from './tus-request.ts'

/** The extensions of tus 1.0 that are served. */
const EXTENSIONS = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'expiration',
  'termination',
  'checksum',
  'checksum-trailer',
  'concatenation',
]

/** Ends of a creation's body after which the new upload is worth keeping: what was received can be resumed. */
const RESUMABLE: ReadonlySet<string> = new Set([
  'UPLOAD_LOCKED',
  'DRAINING',
  'TIMEOUT',
  'STORAGE_UNAVAILABLE',
  'STATE_UNAVAILABLE',
])

/**
 * @tus/server's store over the core. What it takes for ids are {@link Tickets}; bodies are read from the Node request, not
 * from the stream it is handed.
 */
export class CoreStore extends DataStore {
  readonly #uploads: Uploads
  readonly #tickets: Tickets

  constructor(uploads: Uploads, tickets: Tickets) {
    super()
    this.#uploads = uploads
    this.#tickets = tickets
    this.extensions = EXTENSIONS
  }

  override async create(tusUpload: TusUpload): Promise<TusUpload> {
    const request = this.#tickets.requestOf(tusUpload.id)
    if (request.create === null) throw new Error('a creation without its input')
    const upload = await this.#uploads.create(request.create.input, request.caller)
    request.id = upload.manifest.id
    request.token = upload.uploadToken
    request.upload = upload
    // No PATCH will come for an empty file: it is complete as soon as it is created.
    if (upload.size === 0) request.upload = await this.#completeEmpty(upload, request.caller)
    // Here, and not in a write of its own: an empty body that passes through @tus/server's streams costs as much as this does.
    if (isOffsetOctetStream(request.raw.headers)) request.createdOffset = await this.#append(request, request.create, 0)
    return tusUpload
  }

  override async getUpload(ticket: string): Promise<TusUpload> {
    const request = this.#tickets.requestOf(ticket)
    const id = request.id ?? ''
    if (request.patch !== null) {
      request.upload = await this.#uploads.find(id, request.caller, 'write')
      // The core alone compares offsets and room, under the lock: here a live PATCH has not been asked to let go.
      return new TusUpload({ id: ticket, offset: request.patch.offset })
    }
    const { upload, offset } = await this.#uploads
      .settle(id, request.caller)
      .catch((error: unknown) => this.#beingMade(request, error))
    request.upload = upload
    return new TusUpload({ id: ticket, offset, ...(upload.size === null ? {} : { size: upload.size }) })
  }

  override async write(stream: Readable, ticket: string, offset: number): Promise<number> {
    // It is empty: @tus/server was given a request without a body. Read, so that its pipeline ends.
    stream.resume()
    const request = this.#tickets.requestOf(ticket)
    if (request.patch === null) throw new Error('a write outside PATCH')
    return await this.#append(request, request.patch, offset)
  }

  override async remove(ticket: string): Promise<void> {
    const { id, caller } = this.#tickets.requestOf(ticket)
    await this.#uploads.terminate(id ?? '', caller)
  }

  /** Appends the body of a PATCH, or of a creation. Resolves with the offset that was reached. */
  async #append(request: TusRequest, said: Patch | Creation, offset: number): Promise<number> {
    const { id, caller, raw } = request
    if (id === null) throw new Error('a body for no upload')
    const declaredSize = request.patch?.declaredSize
    const input = {
      offset,
      body: raw,
      contentLength: said.contentLength,
      ...(said.checksums === undefined ? {} : { checksums: said.checksums }),
      ...(declaredSize === undefined ? {} : { declaredSize }),
    }
    const settled = await this.#uploads.append(id, input, caller).catch((error: unknown) => {
      if (request.create === null) throw error
      return this.#afterFailedCreation(request, error)
    })
    request.upload = settled.upload
    return settled.offset
  }

  /**
   * "The response to a HEAD request for a final upload SHOULD NOT contain the Upload-Offset header unless the concatenation
   * has been successfully finished." All else is known from the first.
   */
  async #beingMade(request: TusRequest, error: unknown): Promise<Settled> {
    if (request.method !== 'HEAD' || !isUploadError(error) || error.code !== 'UPLOAD_LOCKED') throw error
    const upload = await this.#uploads.find(request.id ?? '', request.caller)
    if (partsOf(upload) === null) throw error
    request.offsetWithheld = true
    return { upload, offset: 0 }
  }

  /** A creation whose body failed either answers 201 with what was kept, or leaves nothing behind. */
  async #afterFailedCreation(request: TusRequest, error: unknown): Promise<Settled> {
    const { id, caller } = request
    if (isWorthKeeping(error)) {
      const upload = await this.#uploads.find(id ?? '', caller, 'write')
      // The whole length is told only when the file stands; without an offset the client asks, and HEAD completes it.
      request.offsetWithheld = upload.status !== 'uploaded' && upload.ledger.isFull(gridOf(upload))
      return { upload, offset: upload.ledger.offset(gridOf(upload)) }
    }
    // Who may not cancel leaves it to its expiry; what went wrong first is what the client has to know.
    await this.#uploads.terminate(id ?? '', caller).catch(() => {})
    request.upload = null
    throw error
  }

  /** Completes an empty file. Where that cannot be now, or by who made it, it is created all the same. */
  async #completeEmpty(upload: Upload, caller: Caller): Promise<Upload> {
    try {
      return (await this.#uploads.settle(upload.manifest.id, caller)).upload
    } catch (error) {
      // Who may not read it is told that there is none.
      if (isWorthKeeping(error) || (isUploadError(error) && error.code === 'UPLOAD_NOT_FOUND')) return upload
      throw error
    }
  }
}

/** Also where every byte is there, and only its sender may not complete it. */
function isWorthKeeping(error: unknown): boolean {
  return isUploadError(error) && (RESUMABLE.has(error.code) || error.details?.['action'] === 'complete')
}
