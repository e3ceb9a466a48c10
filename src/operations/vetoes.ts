import { isUploadError, type UploadError } from '../errors.ts'
import type { Upload } from '../upload.ts'
import type { Context } from './context.ts'

/** For how long a veto answers tus clients without being asked for again, ms. */
const STANDS_MS = 60_000
/** How many are remembered; the oldest is forgotten first. */
const CAPACITY = 10_000

/** What `beforeComplete` has said no to, in this process. */
export class Vetoes {
  readonly #standing = new Map<string, { readonly error: UploadError; readonly until: number }>()

  /** The veto that stands against an upload, or null. */
  of(id: string): UploadError | null {
    const veto = this.#standing.get(id)
    if (veto === undefined) return null
    if (performance.now() < veto.until) return veto.error
    this.#standing.delete(id)
    return null
  }

  keep(id: string, error: UploadError): void {
    this.#standing.delete(id)
    this.#standing.set(id, { error, until: performance.now() + STANDS_MS })
    const oldest = this.#standing.size > CAPACITY ? this.#standing.keys().next() : null
    if (oldest?.done === false) this.#standing.delete(oldest.value)
  }

  lift(id: string): void {
    this.#standing.delete(id)
  }
}

/**
 * Asks `beforeComplete`, under the whole lock and before anything is recorded: an upload that is not to be completed stays
 * as it is, with all its bytes, until it is cancelled or expires. Killed after the answer and before `completing` is
 * recorded, it is asked again; after that it never is. What the hook throws that is no veto is nobody's decision: the next
 * request asks again.
 */
export async function askBeforeComplete({ options, vetoes }: Context, upload: Upload): Promise<void> {
  if (options.beforeComplete === null) return
  const { id } = upload.manifest
  try {
    await options.beforeComplete(upload)
  } catch (error) {
    if (isVeto(error)) vetoes.keep(id, error)
    throw error
  }
  vetoes.lift(id)
}

function isVeto(error: unknown): error is UploadError {
  return isUploadError(error) && error.status < 500 && error.entry.retry !== true
}
