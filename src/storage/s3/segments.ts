import type { Tail } from '../../ledger.ts'
import type { Payload } from './calls.ts'
import type { S3Context } from './context.ts'
import { UploadError } from '../../errors.ts'
import { createHash } from 'node:crypto'
import { readObject } from './ranges.ts'
import { isNoSuchKey } from './s3-error.ts'

/**
 * A stretch of a tail: what one append brought of its last chunk. Segments are never changed. Each names the bytes before
 * it by their digest, so that those of two writers who both believed that the tail was theirs are never taken for one.
 */
export interface Segment {
  readonly key: string
  /** The chunk it is of. */
  readonly number: number
  /** Bytes of the chunk before it. */
  readonly from: number
  /** Bytes of the chunk up to its end. */
  readonly to: number
  /** SHA-256 (hex) of the chunk's bytes up to its end. */
  readonly sha256: string
  /** SHA-256 (hex) of the chunk's bytes before it, or null where it is the first. */
  readonly before: string | null
}

const NAME = /^(\d+)-(\d+)-(\d+)-([0-9a-f]{64})-([0-9a-f]{64}|first)-[0-9a-f-]{36}$/

/** The key of a segment that continues the tail `before` up to `tail`. */
export function segmentOf(context: S3Context, id: string, tail: Tail, before: Tail | null): Segment {
  const { number, size, sha256 } = tail
  const from = before?.size ?? 0
  const name = [number, from, size - from, sha256, before?.sha256 ?? 'first', context.owner].join('-')
  return { key: context.keys.tail(id) + name, number, from, to: size, sha256, before: before?.sha256 ?? null }
}

/** A segment by its key, or null where it is none. */
export function parseSegment(key: string): Segment | null {
  const match = NAME.exec(key.slice(key.lastIndexOf('/') + 1))
  if (match === null) return null
  const [, number, from, length, sha256, before] = match
  if (sha256 === undefined || before === undefined) return null
  const start = Number(from)
  return {
    key,
    number: Number(number),
    from: start,
    to: start + Number(length),
    sha256,
    before: before === 'first' ? null : before,
  }
}

/** All segments of an upload. */
export async function listSegments(context: S3Context, id: string): Promise<Segment[]> {
  const segments: Segment[] = []
  for await (const { key } of context.bucket.list(context.keys.tail(id))) {
    const segment = parseSegment(key)
    if (segment !== null) segments.push(segment)
  }
  return segments
}

/** The unbroken chain of segments that makes exactly this tail, in order; null where there is none. */
export function chainOf(segments: readonly Segment[], { number, size, sha256 }: Tail): readonly Segment[] | null {
  return chainsOf(segments, number).get(placeOf(size, sha256)) ?? null
}

/** The longest tail of a chunk that its segments make, or null. */
export function longestTail(segments: readonly Segment[], number: number): Tail | null {
  let longest: Tail | null = null
  for (const chain of chainsOf(segments, number).values()) {
    const last = chain.at(-1)
    if (last !== undefined && last.to > (longest?.size ?? 0)) longest = { number, size: last.to, sha256: last.sha256 }
  }
  return longest
}

/** Every end that is reached from the chunk's start, with the chain that reached it first. */
function chainsOf(segments: readonly Segment[], chunk: number): Map<string, readonly Segment[]> {
  const reached = new Map<string, readonly Segment[]>()
  const own = segments.filter(({ number, from, to }) => number === chunk && from < to)
  for (const segment of own.toSorted((a, b) => a.from - b.from)) {
    const { from, to, sha256, before } = segment
    const chain = before === null ? (from === 0 ? [] : undefined) : reached.get(placeOf(from, before))
    const end = placeOf(to, sha256)
    if (chain !== undefined && !reached.has(end)) reached.set(end, [...chain, segment])
  }
  return reached
}

/** An end of a stretch that begins with the chunk: how far it reaches, and of which bytes it is. */
function placeOf(size: number, sha256: string): string {
  return `${size} ${sha256}`
}

/**
 * The segments of a tail: remembered, or looked up.
 * @throws UploadError `CHUNKS_MISSING` where they are not there: their chunk is, or a longer tail
 */
export async function findChain(context: S3Context, id: string, tail: Tail): Promise<readonly Segment[]> {
  const known = context.tails.get(id)
  const chain = (known && chainOf(known, tail)) ?? chainOf(await listSegments(context, id), tail)
  if (chain === null) throw tailMissing(tail.number)
  context.tails.set(id, chain)
  return chain
}

function tailMissing(number: number, cause?: unknown): UploadError {
  return new UploadError('CHUNKS_MISSING', { cause, details: { missing: [[number, number]] } })
}

/**
 * Bytes `[from, to)` of a segment, counted from its beginning.
 * @throws UploadError `CHUNKS_MISSING` where it is not there any more: another node has made it part of something longer
 */
export async function* readSegment(
  context: S3Context,
  id: string,
  { key, number }: Segment,
  from: number,
  to: number,
): AsyncGenerator<Buffer> {
  try {
    yield* readObject(context.bucket, key, from, to)
  } catch (error) {
    if (!isNoSuchKey(error)) throw error
    context.tails.delete(id)
    throw tailMissing(number, error)
  }
}

/**
 * The bytes of a tail as its segments hold them.
 * @throws Error before the last buffer when they are not the bytes of this tail: what reads them must not use any.
 */
async function* readChain(
  context: S3Context,
  id: string,
  chain: readonly Segment[],
  tail: Tail,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let held: Buffer | null = null
  for (const segment of chain) {
    for await (const buffer of readSegment(context, id, segment, 0, segment.to - segment.from)) {
      hash.update(buffer)
      if (held !== null) yield held
      held = buffer
    }
  }
  if (hash.digest('hex') !== tail.sha256) {
    throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error('The segments of a tail are not its bytes.') })
  }
  if (held !== null) yield held
}

/** The bytes of a tail, then those that came after it, as one payload. */
export function continued(
  context: S3Context,
  id: string,
  chain: readonly Segment[],
  tail: Tail | null,
  rest: Payload,
): Payload {
  const { size, sha256, body } = rest
  return {
    size,
    sha256,
    body: async function* () {
      if (tail !== null) yield* readChain(context, id, chain, tail)
      if (Buffer.isBuffer(body)) yield body
      else yield* body()
    },
  }
}

/** Deletes segments whose bytes stand elsewhere by now. Nobody waits for it. */
export function dropSegments(context: S3Context, id: string, segments: readonly Segment[]): void {
  context.tails.delete(id)
  context.aside(async () => {
    for (const { key } of segments) await context.bucket.remove(key)
  })
}
