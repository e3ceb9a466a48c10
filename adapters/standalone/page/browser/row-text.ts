import { formatBytes } from '../../format-bytes.ts'
import type { TransferProgress } from './transfer.ts'

/** What a row says below its bar. */
export function rowText(progress: TransferProgress, size: number): string {
  const { state, uploadedBytes, bytesPerSecond, secondsRemaining, trouble } = progress
  const percent = size === 0 ? 100 : Math.floor((uploadedBytes / size) * 100)
  const amount = `${percent} % · ${formatBytes(uploadedBytes)} of ${formatBytes(size)}`
  switch (state) {
    case 'starting':
      return 'Asking the server…'
    case 'checking':
      return `Comparing the file with the ${percent} % that are there…`
    case 'uploading': {
      const speed = bytesPerSecond > 0 ? ` · ${formatBytes(bytesPerSecond)}/s` : ''
      return `${amount}${speed}${secondsRemaining === null ? '' : ` · ${timeText(secondsRemaining)} left`}`
    }
    case 'waiting':
      return `${amount} · Trying again. ${trouble}`
    case 'paused':
      return `${amount} · Paused`
    case 'completing':
      return 'All is sent. The server makes the file and its checksum…'
    case 'done':
      return formatBytes(size)
    case 'failed':
      return amount
  }
}

/** A time as people say it: `8 s`, `3 min`, `2 h 5 min`. */
export function timeText(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.round(whole / 60)
  if (minutes < 60) return `${minutes} min`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
