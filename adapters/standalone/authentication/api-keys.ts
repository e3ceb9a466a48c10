import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Principal } from '../../../src/index.ts'
import { apiKeyOf, refused } from './credentials.ts'
import type { ApiKey } from './parse-access.ts'

/** Says by its key who sends a request. Null where it has none. */
export function authenticateByKey(
  keys: readonly ApiKey[],
): (request: { readonly headers: IncomingHttpHeaders }) => Principal | null {
  const known = keys.map(({ name, key }) => ({ name, digest: digestOf(key) }))
  return ({ headers }) => {
    const sent = apiKeyOf(headers)
    if (sent === null) return null
    const digest = digestOf(sent)
    // Digests have one length, and all of them are compared: the time it takes tells nothing of how much was right.
    const [found] = known.filter((one) => timingSafeEqual(one.digest, digest))
    if (found === undefined) throw refused('The API key is not valid.')
    return { id: found.name }
  }
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
