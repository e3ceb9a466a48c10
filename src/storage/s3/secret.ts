import { newSecret, parseSecret } from '../secret.ts'
import type { S3Context } from './context.ts'

/** The secret of this prefix: of all nodes that ask for it first, one writes it, and the others read that one's. */
export async function readSecret({ documents, keys }: S3Context): Promise<Buffer> {
  const standing = await documents.read(keys.secret)
  if (standing !== null) return parseSecret(standing.value, keys.secret)
  const made = newSecret()
  const outcome = await documents.create(keys.secret, made)
  return parseSecret(outcome.written ? { ...made } : (outcome.standing?.value ?? {}), keys.secret)
}
