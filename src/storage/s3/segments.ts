import type { Keys } from './keys.ts'

/**
 * A stretch of a tail: what one append brought of its last chunk. Its key is its place: the chunk, which segment of it it
 * is, and which bytes it follows. It is written only if nothing stands there. So of all who believe that they go on from the
 * same bytes the first one does, whatever locks have failed, and what was acknowledged stays what the bucket has.
 */
export interface Segment {
  readonly key: string
  /** The chunk it is of. */
  readonly number: number
  /** Which segment of the chunk it is, from 0. */
  readonly index: number
  /** Bytes of the chunk before those it brought. */
  readonly after: number
  /** SHA-256 (hex) of the chunk's bytes before those, or null where it is the first. */
  readonly before: string | null
  /** Bytes of the chunk before what it holds: 0 where it {@link holdsAll}. */
  readonly from: number
  /** Bytes of the chunk up to its end. */
  readonly to: number
}

/** The bytes of a chunk up to a place in it: how many, and which. */
export interface Stretch {
  readonly size: number
  /** SHA-256 in hex. */
  readonly sha256: string
}

/** Every so many segments one holds all bytes from the chunk's start: reading them must not take a request for every append. */
export const LONGEST_CHAIN = 64

const NAME = /^(\d+)-(\d+)-(\d+)-([0-9a-f]{64}|first)$/

/** Whether a segment holds the chunk from its start, so that those before it are not needed any more. */
export function holdsAll(index: number): boolean {
  return index % LONGEST_CHAIN === 0
}

/** The place of the segment that goes on from `before`, the end of `chain`, up to `to`. */
export function segmentAfter(
  keys: Keys,
  id: string,
  { number, chain, before, to }: { number: number; chain: readonly Segment[]; before: Stretch | null; to: number },
): Segment {
  const index = (chain.at(-1)?.index ?? -1) + 1
  const after = before?.size ?? 0
  const name = [number, index, after, before?.sha256 ?? 'first'].join('-')
  const from = holdsAll(index) ? 0 : after
  return { key: keys.tail(id) + name, number, index, after, before: before?.sha256 ?? null, from, to }
}

/** A segment by its key and the bytes it has, or null where it is none. */
export function parseSegment(key: string, size: number): Segment | null {
  const match = NAME.exec(key.slice(key.lastIndexOf('/') + 1))
  if (match === null) return null
  const [number = 0, index = 0, after = 0] = match.slice(1, 4).map(Number)
  const from = holdsAll(index) ? 0 : after
  const before = match[4] === undefined || match[4] === 'first' ? null : match[4]
  return { key, number, index, after, before, from, to: from + size }
}

/** What the bytes of a chunk up to a segment's end hash to, where that is known. */
export type EndOf = (segment: Segment) => string | undefined

/**
 * The segments of a chunk that follow one another: from the last that holds all bytes before it, as far as each follows
 * what the one before it ends with. Those before it are left over from before it was written; nobody goes on from there.
 */
export function chainOf(segments: readonly Segment[], number: number, endOf: EndOf = () => undefined): Segment[] {
  const own = segments.filter((segment) => segment.number === number && segment.from < segment.to)
  let next: Segment | undefined = own
    .filter(({ index, before, after }) => holdsAll(index) && (index === 0) === (before === null && after === 0))
    .toSorted((a, b) => b.index - a.index)[0]
  const chain: Segment[] = []
  while (next !== undefined) {
    chain.push(next)
    const last: Segment = next
    const end = endOf(last)
    next = own.find(
      ({ index, after, before }) =>
        index === last.index + 1 && after === last.to && (end === undefined || before === end),
    )
  }
  return chain
}

/** Whether two segments could follow the same one, by their places alone. */
export function isAmbiguous(segments: readonly Segment[], number: number): boolean {
  const places = segments.filter((one) => one.number === number).map(({ index, after }) => `${index} ${after}`)
  return new Set(places).size < places.length
}
