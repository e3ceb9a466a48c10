import { createHash } from 'node:crypto'
import type { Tail } from '../../ledger.ts'
import type { Hold } from '../storage.ts'
import type { S3Context } from './context.ts'
import { continued, dropSegments, findChain, type Segment, segmentOf } from './segments.ts'

/** A tail of more segments than this is written anew as one: reading it back must not take a request for every append. */
const LONGEST_CHAIN = 64

/** A tail that is to be kept. */
export interface NewTail {
  readonly tail: Tail
  /** The tail it continues. */
  readonly before: Tail | null
  /** The bytes after that. */
  readonly hold: Hold
  /** Whether it is to be one segment, whatever it continues. */
  readonly whole: boolean
}

/**
 * Makes the bytes that were held a segment of the tail. Killed before the request is done, the tail before it stands;
 * after it, the longer one, in one step. The segments before are part of it and stay.
 */
export async function saveTail(context: S3Context, id: string, made: NewTail): Promise<void> {
  const { tail, before, hold } = made
  const chain = before === null ? [] : await findChain(context, id, before)
  if (before !== null && (made.whole || chain.length >= LONGEST_CHAIN)) {
    await gatherTail(context, id, made, before, chain)
    return
  }
  const segment = segmentOf(context, id, tail, before)
  const sha256 = before === null ? tail.sha256 : await digestOf(hold)
  await context.bucket.put(segment.key, { size: tail.size - segment.from, sha256, body: () => hold.read() })
  context.tails.set(id, [...chain, segment])
}

/** Writes the whole tail as one segment; only then are those it was made of deleted. */
async function gatherTail(
  context: S3Context,
  id: string,
  { tail, hold }: NewTail,
  before: Tail,
  chain: readonly Segment[],
): Promise<void> {
  const segment = segmentOf(context, id, tail, null)
  const rest = { size: tail.size, sha256: tail.sha256, body: () => hold.read() }
  await context.bucket.put(segment.key, continued(context, id, chain, before, rest))
  dropSegments(context, id, chain)
  context.tails.set(id, [segment])
}

async function digestOf(hold: Hold): Promise<string> {
  const hash = createHash('sha256')
  for await (const buffer of hold.read()) hash.update(buffer)
  return hash.digest('hex')
}
