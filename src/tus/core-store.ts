import type { Readable } from 'node:stream'
import { DataStore, Upload as TusUpload } from '@tus/utils'
import { partsOf } from '../concatenation.ts'
import { isUploadError } from '../errors.ts'
import type { Settled, Uploads } from '../uploads.ts'
import { makeUpload } from './make-upload.ts'
import type { Tickets } from './tickets.ts'
import type { TusRequest } from './tus-request.ts'

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
    await makeUpload(this.#uploads, this.#tickets.requestOf(tusUpload.id))
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
    const { patch, id, raw, caller } = request
    if (patch === null || id === null) throw new Error('a write outside PATCH')
    const settled = await this.#uploads.append(id, { ...patch, offset, body: raw }, caller)
    request.upload = settled.upload
    return settled.offset
  }

  override async remove(ticket: string): Promise<void> {
    const { id, caller } = this.#tickets.requestOf(ticket)
    await this.#uploads.terminate(id ?? '', caller)
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
}
