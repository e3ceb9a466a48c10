import { CONTENT_TYPE } from './s3-proxy-clients.ts'
import type { S3Bucket } from './s3-proxy-bucket.ts'

/** An upload whose life is over. */
export interface EndedLife {
  readonly prefix: string
  readonly id: string
  /** Its file, or null where none is left. */
  readonly bytes: Buffer | null
  /** Whether another upload of the same client may have become a file, of which it was never told. */
  readonly mayHaveTwin: boolean
}

/** A day in which all that ended is forgotten, and one in which what was never heard of has ended: days from now. */
const LATER = [8, 10] as const

/** Looks at what an upload leaves in the bucket, at once and when it was swept; what should not be so. */
export async function faultsLeft(bucket: S3Bucket, life: EndedLife, { sweep = false } = {}): Promise<string[]> {
  const { prefix, id, bytes } = life
  const faults: string[] = []
  let left = await bucket.left(prefix)
  if (bytes !== null) faults.push(...(await faultsOfFile(bucket, life, left)))
  if (!sweep && strays(life, left).length === 0) return faults

  await bucket.sweep(prefix, 0)
  left = await bucket.left(prefix)
  // Nobody was told of the others, nor of a multipart upload whose beginning was not heard of: they have their time.
  const own = strays(life, left).filter((key) => bytes === null && key.includes(id) && !key.endsWith('?'))
  if (own.length > 0) faults.push(`a sweep leaves ${own.join(', ')}`)
  for (const days of LATER) await bucket.sweep(prefix, days)
  left = await bucket.left(prefix)
  const others = bytes === null ? left : strays(life, left).filter((key) => !isOfTwin(life, left, key))
  if (others.length > 0) faults.push(`${others.join(', ')} is left for ever`)
  if (bytes !== null) faults.push(...(await faultsOfFile(bucket, life, left)))
  return faults
}

async function faultsOfFile(bucket: S3Bucket, life: EndedLife, left: readonly string[]): Promise<string[]> {
  const files = left.filter((key) => key.startsWith('files/') && key.endsWith(`/${life.id}`))
  const [key] = files
  if (key === undefined || files.length > 1) return [`there are ${files.length} files`]
  const { bytes, contentType } = await bucket.get(life.prefix + key)
  const isSame = life.bytes?.equals(bytes) === true
  return [
    ...(isSame ? [] : [`the file has other bytes: ${bytes.length} instead of ${life.bytes?.length}`]),
    ...(contentType === CONTENT_TYPE ? [] : [`the file is ${contentType}`]),
  ]
}

/** Keys beside those that an upload has for as long as it is remembered. */
function strays({ id, bytes }: EndedLife, left: readonly string[]): string[] {
  const fileId = left.find((key) => key.startsWith('files/') && key.endsWith(`/${id}`))?.split('/')[1]
  const records = left.filter((key) => key.startsWith('records/'))
  return left.filter((key) => {
    if (key === `uploads/${id}/manifest` || key.startsWith('claims/')) return false
    // Of what has gone nothing tells any more which record was its own.
    if (bytes === null) return !(records.length === 1 && key === records[0])
    const facts = ['completing', 'length', 'digest'].map((fact) => `uploads/${id}/${fact}`)
    return ![`files/${fileId}/${id}`, `records/${fileId}`, ...facts].includes(key)
  })
}

/** Whether a key is one of a whole file that another upload has become. */
function isOfTwin({ id, mayHaveTwin }: EndedLife, left: readonly string[], key: string): boolean {
  if (!mayHaveTwin) return false
  const files = left.filter((one) => one.startsWith('files/') && !one.endsWith(id) && !one.endsWith('?'))
  return files.some((file) => {
    const [, fileId, twin] = file.split('/')
    return [file, `records/${fileId}`, `uploads/${twin}/manifest`].includes(key)
  })
}
