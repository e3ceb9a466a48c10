import type { Grid } from '../../grid.ts'
import type { ChunkEntry } from '../../ledger.ts'
import type { S3Context } from './context.ts'
import { isCount } from './json.ts'
import type { FactName } from './keys.ts'
import type { Place } from './manifest.ts'
import { unpackChunks } from './packed-chunks.ts'
import { parseSegment, type Segment } from './segments.ts'

/** What is in the folder of an upload. */
export interface Folder {
  readonly facts: ReadonlySet<string>
  readonly segments: readonly Segment[]
}

/** Looks into the folder of an upload. */
export async function readFolder(context: S3Context, id: string): Promise<Folder> {
  const facts = new Set<string>()
  const segments: Segment[] = []
  const folder = context.keys.upload(id)
  for await (const { key, size } of context.bucket.list(folder)) {
    const segment = key.startsWith(context.keys.tail(id)) ? parseSegment(key, size) : null
    if (segment === null) facts.add(key.slice(folder.length))
    else segments.push(segment)
  }
  return { facts, segments }
}

/** The length that was declared later, and when (ms since the epoch). */
export async function readLength(context: S3Context, id: string): Promise<{ size: number; at: number } | null> {
  const fact = await readFact(context, id, 'length')
  return isCount(fact?.size) && isCount(fact.at) ? { size: fact.size, at: fact.at } : null
}

/** The SHA-256 (hex) of the whole file, where it was recorded apart. */
export async function readDigest(context: S3Context, id: string): Promise<string | null> {
  const fact = await readFact(context, id, 'digest')
  return typeof fact?.sha256 === 'string' ? fact.sha256 : null
}

/** The chunks as they were written down before the object was made, where they are many. */
export async function readLedger(
  context: S3Context,
  { id, multipart }: Place,
  grid: Grid,
): Promise<ChunkEntry[] | null> {
  return multipart === null ? null : unpackChunks((await readFact(context, id, 'ledger'))?.chunks, grid)
}

async function readFact(context: S3Context, id: string, name: FactName) {
  return (await context.documents.read(context.keys.fact(id, name)))?.value ?? null
}
