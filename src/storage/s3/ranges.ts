import type { ObjectBucket, ObjectFacts } from './bucket.ts'
import { StallError } from './retry.ts'
import { isPassing } from './s3-error.ts'

/** How an object is read. */
export interface RangeOptions {
  /** Ends the reading. */
  readonly signal?: AbortSignal
  /** Looks at the object before a byte of it is given; throws where it is not the one that is meant. */
  readonly check?: (facts: ObjectFacts) => void
}

/** How often in a row an answer may break off without a byte. */
const EMPTY_ANSWERS = 4

/**
 * Bytes `[start, end)` of an object, as they arrive: no more is held than what one read of the socket brings. An answer
 * that breaks off or stalls is continued by another request, for the rest of the same object.
 */
export async function* readObject(
  bucket: ObjectBucket,
  key: string,
  start: number,
  end: number,
  { signal = new AbortController().signal, check }: RangeOptions = {},
): AsyncGenerator<Buffer> {
  const { stallMs } = bucket.calls.policy
  let position = start
  let etag: string | null = null
  let empty = 0
  while (position < end) {
    const range = [position, end] as const
    const left = new AbortController()
    const until = AbortSignal.any([signal, left.signal])
    const { facts, body } = await bucket.open(key, { range, signal: until, ...(etag === null ? {} : { etag }) })
    try {
      if (etag === null) check?.(facts)
      etag = facts.etag
      const pieces = body[Symbol.asyncIterator]()
      for (;;) {
        const piece = await within(stallMs, signal, pieces.next())
        if (piece.done === true) break
        const bytes = piece.value as Buffer
        position += bytes.length
        if (position > end) throw new Error('S3 answered with more than the range that was asked for.')
        empty = 0
        yield bytes
      }
    } catch (error) {
      if (signal.aborted || !isBroken(error)) throw error
    } finally {
      body.destroy()
      // Whoever left in the middle needs the rest of the answer no more; a client may have put a stream of its own around it.
      if (position < end) left.abort()
    }
    empty += 1
    if (position < end && empty > EMPTY_ANSWERS) throw new StallError(stallMs)
  }
}

/** Whether an answer broke off: nothing was wrong with what came before. */
function isBroken(error: unknown): boolean {
  return isPassing(error) || (error instanceof Error && error.message === 'aborted')
}

/** The next piece, within a time in which somebody wants it: a reader that takes its time costs nothing. */
async function within<T>(ms: number, signal: AbortSignal, next: Promise<T>): Promise<T> {
  let onAbort: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StallError(ms)), ms)
    onAbort = () => reject(new Error('Nobody reads on.'))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([next, over])
  } finally {
    clearTimeout(timer)
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}
