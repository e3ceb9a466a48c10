import { randomUUID } from 'node:crypto'
import type { S3Context } from './context.ts'
import { errorName, httpStatus } from './s3-error.ts'

/**
 * Tries what the storage depends on: the bucket, and that S3 heeds the conditions of a write. Where it ignores them, two
 * nodes could end one upload in two ways. `readOnly`: only the bucket, as nothing will be written.
 *
 * @throws Error in one line, for the operator
 */
export async function prepareBucket(context: S3Context, readOnly: boolean): Promise<void> {
  const { bucket, options } = context
  try {
    await bucket.check()
    if (options.conditionalWrites && !readOnly) await tryCondition(context)
  } catch (error) {
    throw new Error(whyNot(bucket.name, error), { cause: error })
  }
}

class IgnoredCondition extends Error {}

async function tryCondition({ bucket, documents, keys }: S3Context): Promise<void> {
  // Where an upload's objects are that nobody ever knew of: if a kill leaves it, it is swept as they are.
  const key = `${keys.upload(randomUUID())}probe`
  try {
    const first = await documents.create(key, {})
    const second = await documents.create(key, {})
    if (!first.written || second.written) throw new IgnoredCondition()
  } finally {
    await bucket.remove(key)
  }
}

function whyNot(bucket: string, error: unknown): string {
  if (error instanceof IgnoredCondition) {
    return `The S3 storage of bucket "${bucket}" ignores If-None-Match; set dialect.conditionalWrites to false and use one process`
  }
  const status = httpStatus(error)
  if (status === 404) return `There is no bucket "${bucket}" in this S3 storage`
  if (status === 301) return `The bucket "${bucket}" is in another region`
  if (status === 401 || status === 403) return `The S3 storage refuses access to bucket "${bucket}"`
  if (status !== null) return `The S3 storage answers ${status} (${errorName(error)}) for bucket "${bucket}"`
  return `The S3 storage of bucket "${bucket}" does not answer: ${error instanceof Error ? reason(error) : 'unknown'}`
}

function reason(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return error.message === '' ? code : `${code}, ${error.message.split('\n', 1)[0]}`
}
