import { WRONG, type Parse } from '../parse-values.ts'

/** A key, and whose it is. */
export interface ApiKey {
  /** Id of the principal. One may have several keys, so that they can be exchanged one after the other. */
  readonly name: string
  readonly key: string
}

/** As long as the digest of HS256: what is shorter can be guessed from one token (RFC 7518 section 3.2). */
const LEAST_SECRET_BYTES = 32

/** A secret for HS256. */
export const parseJwtSecret: Parse<string> = (text) => (Buffer.byteLength(text) >= LEAST_SECRET_BYTES ? text : WRONG)

/** The address of a key set. */
export const parseKeySetUrl: Parse<URL> = (text) => {
  const url = URL.canParse(text) ? new URL(text) : null
  const fits = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  return fits && url.hash === '' ? url : WRONG
}

/** Names and keys, `name:key,name:key`. */
export const parseApiKeys: Parse<readonly ApiKey[]> = (text) => {
  const keys = text.split(',').map(parseApiKey)
  const right = keys.filter((key) => key !== null)
  // One key of two names would be whose?
  return right.length === keys.length && new Set(right.map(({ key }) => key)).size === keys.length ? right : WRONG
}

/** A key is what a header can carry, and a proxy does not trim. */
function parseApiKey(text: string): ApiKey | null {
  const [, name, key] = /^([\w.@+-]{1,128}):([\x21-\x7e]{1,1024})$/.exec(text.trim()) ?? []
  return name === undefined || key === undefined ? null : { name, key }
}
