import type { FileOnDisk, Inspection } from '../../src/storage/file/index.ts'

/** Width of the names in front. */
const COLUMN = 14

type Row = readonly [name: string, text: string]

/** An upload as the disk has it, for people. `now` is in ms since the epoch. */
export function inspectionText(inspection: Inspection, now: number): string {
  const { id, status, directory } = inspection
  const sections: readonly (readonly [title: string, rows: readonly Row[]])[] = [
    [`Upload ${id}: ${status}`, uploadRows(inspection)],
    ['Ledger', ledgerRows(inspection)],
    ['Times', timeRows(inspection, now)],
    [`Disk, in ${directory}`, diskRows(inspection)],
  ]
  return sections.map(([title, rows]) => `${title}\n${rows.map(rowText).join('')}`).join('\n')
}

function uploadRows({ manifest, size, digest, totalChunks }: Inspection): readonly Row[] {
  const { fileName, contentType, fileId, owner, chunkSize, checksum, metadata } = manifest
  const count = totalChunks === null ? 'as many as come' : String(totalChunks)
  return [
    ['file', `${JSON.stringify(fileName)}, ${contentType}`],
    ['file id', fileId],
    ['owner', owner === null ? 'none' : JSON.stringify(owner)],
    ['size', size === null ? 'not known yet (deferred)' : bytesText(size)],
    ['chunks', `${count} of ${bytesText(chunkSize)}`],
    ['metadata', JSON.stringify(metadata)],
    ['SHA-256', digest ?? 'not computed yet'],
    ...(checksum === null ? [] : [['declared', checksum] as const]),
  ]
}

function ledgerRows({ chunks, ranges, tail, missing, totalChunks, durableBytes, offset, size }: Inspection): Row[] {
  const all = totalChunks === null ? '' : ` of ${totalChunks}`
  const percent =
    size === null || size === 0 ? '' : `, ${(Math.floor((durableBytes / size) * 10_000) / 100).toFixed(2)} %`
  return [
    ['durable', `${bytesText(durableBytes)}${percent}`],
    ['chunks', `${chunks.length}${all}${ranges.length === 0 ? '' : `: ${rangesText(ranges)}`}`],
    ['tail', tail === null ? 'none' : `${bytesText(tail.size)} of chunk ${tail.number}, SHA-256 ${tail.sha256}`],
    ['missing', missingText(missing, totalChunks)],
    ['tus offset', String(offset)],
  ]
}

function timeRows({ manifest, chunks, endedAt, status }: Inspection, now: number): readonly Row[] {
  const last = chunks.reduce((at, chunk) => Math.max(at, chunk.at), 0)
  const open = status === 'initiated' || status === 'uploading'
  return [
    ['created', timeText(manifest.createdAt, now)],
    ['last chunk', last === 0 ? 'none' : timeText(last, now)],
    ['ended', endedAt === null ? 'no' : timeText(endedAt, now)],
    ...(open
      ? [['expires', 'only the server knows: resumes are not kept on disk, and a restart counts anew'] as const]
      : []),
  ]
}

function diskRows({ journal, data, file, record, owner }: Inspection): readonly Row[] {
  const torn =
    journal === null || journal.tornBytes === 0 ? '' : `, then ${journal.tornBytes} bytes of an unfinished one`
  return [
    ['journal', journal === null ? 'none' : `${fileText(journal)}, ${journal.lines} lines${torn}`],
    ...(journal === null || journal.trusted ? [] : [['', UNTRUSTED] as const]),
    ['data', fileText(data)],
    ['finished file', fileText(file)],
    [
      'its record',
      record === null ? 'none' : `${bytesText(record.size)}, SHA-256 ${record.checksum ?? 'not computed yet'}`,
    ],
    ['server', ownerText(owner)],
  ]
}

const UNTRUSTED =
  'written before the last boot or a failed fsync: the server reads the bytes again before it counts them'

function ownerText(owner: Inspection['owner']): string {
  if (owner === null) return 'none has the directory'
  const runs = owner.running === null ? 'may be running' : owner.running ? 'is running' : 'is dead'
  return `process ${owner.pid} ${runs}${owner.draining ? ' and shuts down' : ''}`
}

function missingText(missing: Inspection['missing'], totalChunks: number | null): string {
  if (totalChunks === null) return 'not known until the length is'
  return missing.length === 0 ? 'none' : rangesText(missing)
}

function rangesText(ranges: Inspection['ranges']): string {
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')
}

function fileText(file: FileOnDisk | null): string {
  return file === null ? 'none' : `${file.path}, ${bytesText(file.bytes)}`
}

function bytesText(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'] as const
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length)
  const unit = units[power - 1]
  return unit === undefined ? `${bytes} bytes` : `${bytes} bytes (${(bytes / 1024 ** power).toFixed(1)} ${unit})`
}

function timeText(at: number, now: number): string {
  return `${new Date(at).toISOString()} (${agoText(now - at)})`
}

function agoText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds} s ago`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ago`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} days ago`
}

function rowText([name, text]: Row): string {
  return `  ${name.padEnd(COLUMN)}${text}\n`
}
