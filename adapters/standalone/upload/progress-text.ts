import { stripVTControlCharacters } from 'node:util'
import type { UploadProgress } from '../../client/index.ts'
import { formatBytes } from '../format-bytes.ts'

const BAR = 24

/** One line of a terminal that is `columns` wide, which says how far an upload is. */
export function progressLine(progress: UploadProgress, columns: number): string {
  const { fileName, percentComplete, uploadedBytes, totalSize } = progress
  const filled = Math.floor((percentComplete / 100) * BAR)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR - filled)
  const amount = `${formatBytes(uploadedBytes)} of ${formatBytes(totalSize)}`
  const text = `${bar} ${Math.floor(percentComplete)} %  ${amount}  ${doing(progress)}`
  const room = columns - text.length - 3
  const line = room < 8 ? `${Math.floor(percentComplete)} %  ${doing(progress)}` : `${shorten(fileName, room)}  ${text}`
  return printable(line).slice(0, Math.max(0, columns - 1))
}

/** The same for a log. */
export function progressLog(progress: UploadProgress): string {
  const { fileName, percentComplete, totalSize } = progress
  return printable(`${fileName}: ${Math.floor(percentComplete)} % of ${formatBytes(totalSize)}, ${doing(progress)}`)
}

/** A text that comes from elsewhere, without what would move a terminal's cursor. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}

function doing({ state, trouble, bytesPerSecond, estimatedTimeRemaining }: UploadProgress): string {
  switch (state) {
    case 'starting':
      return 'asking the server'
    case 'checking':
      return 'comparing with what is there'
    case 'uploading':
      return `${formatBytes(bytesPerSecond)}/s${estimatedTimeRemaining === null ? '' : `  ${estimatedTimeRemaining} left`}`
    case 'waiting':
      return `trying again: ${trouble?.message ?? 'no answer'}`
    case 'paused':
      return 'paused'
    case 'completing':
      return 'all is sent; the server makes the file'
    case 'done':
      return 'done'
    case 'failed':
      return 'stopped'
  }
}

function shorten(name: string, room: number): string {
  return name.length <= room ? name : `…${name.slice(name.length - room + 1)}`
}
