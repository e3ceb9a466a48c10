const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** A number of bytes as people read it: `17 bytes`, `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1)
  const amount = bytes / 1024 ** power
  return `${power === 0 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[power] ?? ''}`
}
