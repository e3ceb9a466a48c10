import type { UploadStorage } from './storage.ts'

/** What is remembered of an upload that has begun. */
export interface RememberedUpload {
  /** The upload's id. */
  readonly id: string
  /** Its token; null where the server gave none. */
  readonly uploadToken: string | null
  readonly fileId: string
  readonly fileName: string
  /** Bytes. */
  readonly fileSize: number
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number
  readonly totalChunks: number
  /** The address of the API it was begun at. */
  readonly api: string
  /** ISO 8601. */
  readonly startedAt: string
  /**
   * The first 32 hex digits of the SHA-256 of chunks, by number, written down before they are sent: so that whatever the
   * server has can be compared with the file without being sent again.
   */
  readonly sums: Readonly<Record<string, string>>
}

/** What is known of a file without reading it. */
export interface FileFacts {
  readonly name: string
  readonly size: number
  /** ms since 1970; 0 where it is not known. */
  readonly lastModified: number
}

const PREFIX = 'holdfast:'

/** Remembers uploads in a storage that may fail, be full, or hold what others have written. */
export class UploadMemory {
  readonly #storage: UploadStorage | null

  constructor(storage: UploadStorage | null) {
    this.#storage = storage
  }

  /** Under what an upload of a file to an API is remembered. */
  static keyOf(api: string, { name, size, lastModified }: FileFacts): string {
    return PREFIX + [api, name, String(size), String(lastModified)].map(encodeURIComponent).join('|')
  }

  async load(key: string): Promise<RememberedUpload | null> {
    return parse((await this.#try((storage) => storage.get(key))) ?? null)
  }

  async save(key: string, upload: RememberedUpload): Promise<void> {
    await this.#try((storage) => storage.set(key, JSON.stringify(upload)))
  }

  async forget(key: string): Promise<void> {
    await this.#try((storage) => storage.delete(key))
  }

  /** All that is remembered of uploads to an API. */
  async list(api: string): Promise<(RememberedUpload & { readonly key: string })[]> {
    const keys = (await this.#try((storage) => storage.keys())) ?? []
    const own = keys.filter((key) => key.startsWith(`${PREFIX}${encodeURIComponent(api)}|`))
    const found = await Promise.all(own.map(async (key) => ({ key, upload: await this.load(key) })))
    return found.flatMap(({ key, upload }) => (upload === null ? [] : [{ ...upload, key }]))
  }

  /** Undefined where there is no storage, or where it fails: nothing of an upload depends on it. */
  async #try<T>(work: (storage: UploadStorage) => T | Promise<T>): Promise<T | undefined> {
    if (this.#storage === null) return undefined
    try {
      return await work(this.#storage)
    } catch {
      return undefined
    }
  }
}

function parse(text: string | null): RememberedUpload | null {
  if (text === null) return null
  try {
    const value: unknown = JSON.parse(text)
    return isRemembered(value) ? value : null
  } catch {
    return null
  }
}

function isRemembered(value: unknown): value is RememberedUpload {
  if (typeof value !== 'object' || value === null) return false
  const { id, uploadToken, fileId, fileName, fileSize, chunkSize, totalChunks, api, startedAt, sums } =
    value as Partial<Record<keyof RememberedUpload, unknown>>
  const texts = [id, fileId, fileName, api, startedAt].every((text) => typeof text === 'string')
  const counts = [fileSize, chunkSize, totalChunks].every(Number.isSafeInteger)
  const token = uploadToken === null || typeof uploadToken === 'string'
  return texts && counts && token && Number(chunkSize) > 0 && typeof sums === 'object' && sums !== null
}
