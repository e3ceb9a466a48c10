import type { ChunkEntry, Tail } from '../../ledger.ts'
import type { Manifest, Upload, UploadStatus } from '../../upload.ts'

/** What a record says to a reader that has a part of it. */
export interface RecordView extends Omit<Upload, 'manifest' | 'ledger'> {
  /** Random; another where the record was made anew or may have lost entries: what was read of it before is void. */
  readonly epoch: string
  /** Null where the reader has it. */
  readonly manifest: Manifest | null
  /** How many entries come before {@link RecordView.entries}. */
  readonly from: number
  readonly entries: readonly ChunkEntry[]
  readonly tail: Tail | null
}

/** `number size at sha256[ etag]` */
export function entryText({ number, size, at, sha256, etag }: ChunkEntry): string {
  return `${number} ${size} ${at} ${sha256}${etag === undefined ? '' : ` ${etag}`}`
}

/** `number size sha256`, or '' */
export function tailText(tail: Tail | null): string {
  return tail === null ? '' : `${tail.number} ${tail.size} ${tail.sha256}`
}

/** A number, or ''. */
export function numberText(value: number | null): string {
  return value === null ? '' : String(value)
}

/** Reads what `view` in `READ_LUA` wrote. */
export function parseView(reply: unknown): RecordView {
  const [epoch, status, size, endedAt, digest, expiresAt, tail, manifest, from, entries] = reply as [
    ...[epoch: string, status: UploadStatus, size: string, endedAt: string, digest: string],
    ...[expiresAt: string, tail: string, manifest: string, from: number, entries: string[]],
  ]
  return {
    epoch,
    status,
    size: parseNumber(size),
    endedAt: parseNumber(endedAt),
    digest: digest === '' ? null : digest,
    expiresAt: Number(expiresAt),
    tail: parseTail(tail),
    manifest: manifest === '' ? null : (JSON.parse(manifest) as Manifest),
    from,
    entries: entries.map(parseEntry),
  }
}

function parseNumber(text: string): number | null {
  return text === '' ? null : Number(text)
}

function parseTail(text: string): Tail | null {
  const [number, size, sha256] = text.split(' ', 3)
  return sha256 === undefined ? null : { number: Number(number), size: Number(size), sha256 }
}

function parseEntry(text: string): ChunkEntry {
  const fields = text.split(' ', 4)
  const [number, size, at, sha256 = ''] = fields
  const entry = { number: Number(number), size: Number(size), sha256, at: Number(at) }
  // An ETag is the rest, whatever it is made of.
  const { length } = fields.join(' ')
  return text.length === length ? entry : { ...entry, etag: text.slice(length + 1) }
}
