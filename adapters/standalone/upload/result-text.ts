import type { UploadedFile } from '../../client/index.ts'
import { formatBytes } from '../format-bytes.ts'
import { printable } from './progress-text.ts'
import type { UploadCommand } from './upload-command.ts'

/** Where a finished file is: on the CDN, else on the server. */
export function fileAddress(to: string, apiPrefix: string, { id, url }: UploadedFile): string {
  const base = to.replace(/\/+$/, '')
  // The files are beside the uploads.
  const beside = apiPrefix.replace(/\/+$/, '').replace(/[^/]*$/, 'files')
  return url ?? `${base}/${beside.replace(/^\/+/, '')}/${id}/content`
}

/** What is told of a finished file. */
export function resultText(
  path: string,
  { id, size, checksum, checksumStatus }: UploadedFile,
  address: string,
): string {
  const sum = checksum ?? (checksumStatus === 'computing' ? 'being computed: see the file’s record' : 'not computed')
  return [
    `${printable(path)}: ${formatBytes(size)}`,
    `  SHA-256  ${sum}`,
    `  file     ${id}`,
    `  address  ${printable(address)}`,
    '',
  ].join('\n')
}

/** How to go on with what was stopped. */
export function goOnText({ files, to }: Pick<UploadCommand, 'files' | 'to'>): string {
  const command = ['holdfast', 'upload', ...files, '--to', to].map(quoted).join(' ')
  return `Stopped. What the server has it keeps; to go on: ${printable(command)}\n`
}

function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
