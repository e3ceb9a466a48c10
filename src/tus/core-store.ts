import type { Readable } from 'node:stream'
import { DataStore, Upload as TusUpload } from '@tus/utils'
import { isUploadError } from '../errors.ts'
import type { Upload } from '../upload.ts'
import type { Uploads } from '../uploads.ts'
import { offsetOf } from './offset.ts'
import { tusRequest } from './request-context.ts'

/** The extensions of tus 1.0 that are served. */
const EXTENSIONS = ['creation', 'creation-with-upload', 'creation-defer-length', 'expiration', 'termination']

/** Ends of a creation's body after which the new upload is worth keeping: what was received can be resumed. */
const RESUMABLE: ReadonlySet<string> = new Set(['UPLOAD_LOCKED', 'DRAINING', 'TIMEOUT', 'STORAGE_UNAVAILABLE'])

/** @tus/server's store over the core. Bodies are read from the Node request, not from the stream it is handed. */
export class CoreStore extends DataStore {
  readonly #uploads: Uploads

  constructor(uploads: Uploads) {
    super()
    this.#uploads = uploads
    this.extensions = EXTENSIONS
  }

  override async create(tusUpload: TusUpload): Promise<TusUpload> {
    const request = tusRequest()
    if (request.create === null) throw new Error('a creation without its input')
    let upload = await this.#uploads.create(request.create.input, request.caller)
    // No PATCH will come for an empty file: it is complete as soon as it is created.
    if (upload.size === 0) upload = await this.#uploads.settle(upload.manifest.id, request.caller)
    request.upload = upload
    // The core names uploads; @tus/server builds the Location from what it finds here.
    tusUpload.id = upload.manifest.id
    return tusUpload
  }

  override async getUpload(id: string): Promise<TusUpload> {
    const request = tusRequest()
    const upload =
      request.method === 'HEAD'
        ? await this.#uploads.settle(id, request.caller)
        : await this.#uploads.find(id, request.caller)
    request.upload = upload
    // The core alone compares offsets and room, under the lock: here a live PATCH has not been asked to let go.
    if (request.patch !== null) return new TusUpload({ id, offset: request.patch.offset })
    return toTus(upload)
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    // It is empty: @tus/server was given a request without a body. Read, so that its pipeline ends.
    stream.resume()
    const request = tusRequest()
    const body = request.patch ?? request.create
    if (body === null) throw new Error('a write outside PATCH and POST')
    const declaredSize = request.patch?.declaredSize
    try {
      request.upload = await this.#uploads.append(
        id,
        {
          offset,
          body: request.raw,
          contentLength: body.contentLength,
          ...(declaredSize === undefined ? {} : { declaredSize }),
        },
        request.caller,
      )
    } catch (error) {
      if (request.create === null) throw error
      request.upload = await this.#afterFailedCreation(id, error)
    }
    return offsetOf(request.upload)
  }

  override async remove(id: string): Promise<void> {
    await this.#uploads.terminate(id, tusRequest().caller)
  }

  /** A creation whose body failed either answers 201 with what was kept, or leaves nothing behind. */
  async #afterFailedCreation(id: string, error: unknown): Promise<Upload> {
    const { caller } = tusRequest()
    if (isUploadError(error) && RESUMABLE.has(error.code)) return this.#uploads.find(id, caller)
    await this.#uploads.terminate(id, caller)
    throw error
  }
}

function toTus(upload: Upload): TusUpload {
  return new TusUpload({
    id: upload.manifest.id,
    offset: offsetOf(upload),
    ...(upload.size === null ? {} : { size: upload.size }),
  })
}
