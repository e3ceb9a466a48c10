import { createHash } from 'node:crypto'
import { UploadError } from '../../errors.ts'
import type { Tail } from '../../ledger.ts'
import type { ObjectFacts } from './bucket.ts'
import type { Payload } from './calls.ts'
import type { S3Context } from './context.ts'
import { readObject } from './ranges.ts'
import { isNoSuchKey } from './s3-error.ts'
import { chainOf, isAmbiguous, parseSegment, type Segment, type Stretch } from './segments.ts'

/** A tail, and the segments it is read from, in order. */
export interface Chain {
  readonly tail: Tail
  readonly segments: readonly Segment[]
}

/** SHA-256 (hex) of the chunk's bytes up to a segment's end, in its metadata: a key of that would be nobody's place alone. */
const END_KEY = 'holdfast-end'
/** SHA-256 (hex) of the bytes that a segment itself holds. */
const HELD_KEY = 'holdfast-held'

/** What is written with a segment. */
export function segmentMetadata(end: string, held: string): Readonly<Record<string, string>> {
  return { [END_KEY]: end, [HELD_KEY]: held }
}

/** What a segment says of its bytes. */
export function digestsIn({ metadata }: ObjectFacts): { readonly end: string | null; readonly held: string | null } {
  return { end: metadata[END_KEY] ?? null, held: metadata[HELD_KEY] ?? null }
}

/** All segments of an upload. */
export async function listSegments(context: S3Context, id: string): Promise<Segment[]> {
  const segments: Segment[] = []
  for await (const { key, size } of context.bucket.list(context.keys.tail(id))) {
    const segment = parseSegment(key, size)
    if (segment !== null) segments.push(segment)
  }
  return segments
}

/**
 * The tail of a chunk as its segments make it, or null: one request for each of them, and every one follows just the bytes
 * that the one before it ends with.
 */
export async function longestTail(
  context: S3Context,
  segments: readonly Segment[],
  number: number,
): Promise<Chain | null> {
  const ends = await endsOf(context, segments, number)
  const chain = chainOf(segments, number, ({ key }) => ends.get(key))
  const last = chain.at(-1)
  const sha256 = last === undefined ? undefined : ends.get(last.key)
  return last === undefined || sha256 === undefined
    ? null
    : { tail: { number, size: last.to, sha256 }, segments: chain }
}

/** What the segments of a chunk say they end with, by key. One that has gone meanwhile, or says nothing, ends with nothing. */
async function endsOf(
  context: S3Context,
  segments: readonly Segment[],
  number: number,
): Promise<ReadonlyMap<string, string>> {
  const first = chainOf(segments, number)[0]?.index ?? 0
  const asked = segments.filter((segment) => segment.number === number && segment.index >= first)
  const ends = await Promise.all(
    asked.map(async ({ key }): Promise<[string, string]> => {
      const facts = await context.bucket.head(key)
      return [key, (facts === null ? null : digestsIn(facts).end) ?? '']
    }),
  )
  return new Map(ends)
}

/**
 * The segments of a tail: remembered, or looked up. Their bytes are compared with the tail when they are read.
 * @throws UploadError `CHUNKS_MISSING` where they are not there: their chunk is, or a longer tail
 */
export async function findChain(context: S3Context, id: string, tail: Tail): Promise<readonly Segment[]> {
  const known = context.tails.get(id)
  if (known !== undefined && isSame(known.tail, tail)) return known.segments
  const found = await lookUp(context, await listSegments(context, id), tail)
  if (found === null) throw tailMissing(tail.number)
  context.tails.set(id, { tail, segments: found })
  return found
}

/** The segments that make just this tail; null where there are none. */
export async function lookUp(
  context: S3Context,
  segments: readonly Segment[],
  { number, size }: Tail,
): Promise<readonly Segment[] | null> {
  // What follows the tail was never acknowledged, or is not known here yet.
  const before = segments.filter(({ to }) => to <= size)
  const ends = isAmbiguous(before, number) ? await endsOf(context, before, number) : null
  const chain = chainOf(before, number, ({ key }) => ends?.get(key))
  return chain.at(-1)?.to === size ? chain : null
}

function isSame(a: Tail, b: Tail): boolean {
  return a.number === b.number && a.size === b.size && a.sha256 === b.sha256
}

/** A tail is not there, or not any more. */
export function tailMissing(number: number, cause?: unknown): UploadError {
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
  { sha256 }: Stretch,
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
  if (hash.digest('hex') !== sha256) {
    throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error('The segments of a tail are not its bytes.') })
  }
  if (held !== null) yield held
}

/** The bytes of a tail, then those that came after it, as one payload. */
export function continued(
  context: S3Context,
  id: string,
  chain: readonly Segment[],
  tail: Stretch | null,
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

/**
 * Deletes the segments of a chunk, or those before one of them. The last goes first: killed at any point, what is left is
 * the beginning of what was there.
 */
export async function removeSegments(context: S3Context, id: string, chunk: number, before = Infinity): Promise<void> {
  const all = await listSegments(context, id)
  await removeAll(
    context,
    all.filter(({ number, index }) => number === chunk && index < before),
  )
}

/** Deletes the segments of a tail whose bytes stand elsewhere by now, and what is left of it from before its first. */
export async function removeTail(context: S3Context, id: string, segments: readonly Segment[]): Promise<void> {
  const [first] = segments
  if (first === undefined) return
  if (first.index === 0) await removeAll(context, segments)
  else await removeSegments(context, id, first.number)
}

/** Deletes all segments of an upload. */
export async function removeTails(context: S3Context, id: string): Promise<void> {
  context.tails.delete(id)
  await removeAll(context, await listSegments(context, id))
}

async function removeAll({ bucket }: S3Context, segments: readonly Segment[]): Promise<void> {
  const ordered = segments.toSorted((a, b) => b.number - a.number || b.index - a.index)
  for (const { key } of ordered) await bucket.remove(key)
}
