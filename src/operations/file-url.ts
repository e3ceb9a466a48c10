import type { FileRecord } from '../files.ts'
import type { ResolvedOptions } from '../options.ts'

/** A file as it is told of: with its address on the CDN, where there is one. That is not recorded, as it may change. */
export function published({ cdnUrl }: Pick<ResolvedOptions, 'cdnUrl'>, file: FileRecord): FileRecord {
  if (cdnUrl === null || file.key === undefined) return file
  return { ...file, url: `${cdnUrl}/${file.key.split('/').map(encodeURIComponent).join('/')}` }
}
