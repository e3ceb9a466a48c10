import { randomUUID } from 'node:crypto'
import { UploadError } from '../../errors.ts'
import type { RedisArgument } from '../../redis/client.ts'
import type { ChunkEntry } from '../../ledger.ts'
import type { Upload } from '../../upload.ts'
import { entryText, numberText, parseView, type RecordView, tailText } from './record-text.ts'

/** Entries of one call: Redis answers nobody else while it takes them. */
const BATCH = 1_000
/** How often a merge begins again, when the record was dropped in the middle of it. */
const ATTEMPTS = 3

/** Runs `ADOPT` once. */
export type AdoptCall = (args: readonly RedisArgument[]) => Promise<unknown>

/**
 * Merges an upload into its record; null where the server has forgotten something since the merge began that bears this
 * mark.
 *
 * @param mark What `BEGIN_MERGE` returned; '' where the upload is news to everybody.
 * @param reader The epoch the caller has read of, and how many entries it has.
 */
export async function adoptInto(
  call: AdoptCall,
  upload: Upload,
  reader: readonly [epoch: string, entries: number],
  mark: string,
): Promise<RecordView | null> {
  // At once: storage goes on growing the ledger it handed over.
  const batches = inBatches([...upload.ledger.chunks.values()])
  const { manifest } = upload
  const facts = [JSON.stringify(manifest), manifest.chunkSize, numberText(upload.size), upload.status]
  facts.push(
    numberText(upload.endedAt),
    upload.digest ?? '',
    upload.expiresAt,
    tailText(upload.ledger.tail),
    ...reader,
    mark,
  )
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    let met: readonly unknown[] | null = ['']
    for (const [i, batch] of batches.entries()) {
      const head = [String(met[0]), randomUUID(), i === batches.length - 1 ? 1 : 0]
      const reply = (await call([...head, ...facts, ...batch.map(entryText)])) as readonly unknown[] | 0 | null
      if (reply === 0) return null
      met = reply
      if (met === null) break
    }
    if (met !== null) return parseView(met[1])
  }
  const cause = new Error('The record of an upload was dropped again and again while it was made.')
  throw new UploadError('STATE_UNAVAILABLE', { cause })
}

/** One batch at least: an upload without chunks is adopted too. */
function inBatches(entries: readonly ChunkEntry[]): (readonly ChunkEntry[])[] {
  const batches = [entries.slice(0, BATCH)]
  for (let i = BATCH; i < entries.length; i += BATCH) batches.push(entries.slice(i, i + BATCH))
  return batches
}
