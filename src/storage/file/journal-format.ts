import { crc32 } from 'node:zlib'
import type { ChunkEntry, Tail } from '../../ledger.ts'
import type { Change, EndStatus } from '../../upload.ts'
import { mustKnowVersion } from '../format-version.ts'
import { isCount, isObject, parseJson } from './json.ts'

/** The changes that are kept: all but a mere sign of life. */
export type StoredChange = Exclude<Change, { type: 'touch' }>

/** First line of a journal. */
export interface JournalHeader {
  readonly v: 1
  /** The upload's id. */
  readonly id: string
  /**
   * The machine's boot under which the lines were written: after another boot they may speak of bytes that a power cut
   * took. Empty: an fsync of the bytes has failed, which comes to the same.
   */
  readonly boot: string
}

/** What a journal says. */
export interface JournalContents {
  /** Null where not even the first line is whole. */
  readonly header: JournalHeader | null
  readonly changes: readonly StoredChange[]
  /** Bytes of the lines that are whole. */
  readonly end: number
}

const PREFIX = /^[0-9a-f]{8} [0-9a-f]{8} $/
const PREFIX_BYTES = 18
const NEWLINE = 0x0a

/** Lines, each `<length hex8> <crc32 hex8> <json>\n`, where length and CRC are those of the JSON's bytes. A journal begins with its header. */
export function encodeLines(values: readonly (JournalHeader | StoredChange)[]): Buffer {
  return Buffer.from(values.map(lineOf).join(''))
}

function lineOf(value: JournalHeader | StoredChange): string {
  const json = JSON.stringify(value)
  return `${hex8(Buffer.byteLength(json))} ${hex8(crc32(json))} ${json}\n`
}

/**
 * Reads a journal up to its first line that is not whole: what a kill or a power cut leaves at the end.
 *
 * @throws Error when a whole line says what this version does not know. It was written by a newer one; to cut it off
 * would lose what it acknowledged.
 */
export function decodeJournal(bytes: Buffer): JournalContents {
  let header: JournalHeader | null = null
  const changes: StoredChange[] = []
  let end = 0
  for (;;) {
    const payload = payloadAt(bytes, end)
    const value = payload === null ? undefined : parseJson(payload)
    if (payload === null || value === undefined) return { header, changes, end }
    if (header === null) header = parseHeader(value)
    else changes.push(parseChange(value))
    end += PREFIX_BYTES + payload.length + 1
  }
}

function payloadAt(bytes: Buffer, start: number): Buffer | null {
  const prefix = bytes.toString('latin1', start, start + PREFIX_BYTES)
  if (!PREFIX.test(prefix)) return null
  const from = start + PREFIX_BYTES
  const to = from + Number.parseInt(prefix.slice(0, 8), 16)
  if (to >= bytes.length || bytes[to] !== NEWLINE) return null
  const payload = bytes.subarray(from, to)
  return crc32(payload) === Number.parseInt(prefix.slice(9, 17), 16) ? payload : null
}

function parseHeader(value: unknown): JournalHeader {
  if (isObject(value) && typeof value.v === 'number') mustKnowVersion('The journal of an upload', value.v, 1)
  if (!isObject(value) || value.v !== 1 || typeof value.id !== 'string' || typeof value.boot !== 'string') {
    throw new Error('The journal begins with a header that this version does not know.')
  }
  return { v: 1, id: value.id, boot: value.boot }
}

function parseChange(value: unknown): StoredChange {
  if (isObject(value)) {
    const { type, entry, tail, size, status, at, ofFile, sha256 } = value
    if (type === 'chunk' && isEntry(entry)) return { type, entry }
    if (type === 'tail' && isTail(tail)) return { type, tail }
    if (type === 'length' && isCount(size) && isCount(at)) return { type, size, at }
    if (type === 'completing') return { type }
    if (type === 'ended' && isEndStatus(status) && isCount(at)) {
      return ofFile === true ? { type, status, at, ofFile } : { type, status, at }
    }
    if (type === 'digest' && typeof sha256 === 'string') return { type, sha256 }
  }
  throw new Error(
    'The journal holds a line that this version does not know: run the version that wrote it, or a newer one.',
  )
}

function isTail(value: unknown): value is Tail {
  return isObject(value) && isCount(value.number) && isCount(value.size) && typeof value.sha256 === 'string'
}

function isEntry(value: unknown): value is ChunkEntry {
  return isObject(value) && isTail(value) && 'at' in value && isCount(value.at)
}

function isEndStatus(value: unknown): value is EndStatus {
  return value === 'uploaded' || value === 'cancelled' || value === 'expired' || value === 'failed'
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0')
}
