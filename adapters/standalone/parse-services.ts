import { readWebhookSecret } from '../../src/index.ts'
import { parseDuration, WRONG, type Parse } from './parse-values.ts'

/** The name of a bucket, as S3 allows them; some servers allow more, and say themselves what they do not. */
export const parseBucket: Parse<string> = (text) => (/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(text) ? text : WRONG)

/** What keys begin with: a folder, so that it is not the beginning of another's name. A slash in front would make one without a name. */
export const parseKeyPrefix: Parse<string> = (text) =>
  /^[^\s/\\][^\s\\]*\/$/.test(text) && !text.split('/').some(isDots) && Buffer.byteLength(text) <= 512 ? text : WRONG

/** An address of which nothing but scheme, host and port counts. */
export const parseEndpoint: Parse<string> = (text) => {
  const url = urlOf(text, ['http:', 'https:'])
  return url !== null && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === ''
    ? url.origin
    : WRONG
}

/** The address of a Redis: `redis://` or `rediss://`, with user, password and the number of a database as may be. */
export const parseRedisUrl: Parse<string> = (text) => {
  const url = urlOf(text, ['redis:', 'rediss:'])
  return url !== null && url.hostname !== '' && /^\/?[0-9]*$/.test(url.pathname) && url.hash === '' ? text : WRONG
}

/** What keys begin with. A brace would change in which slot of a Cluster they are. */
export const parseRedisPrefix: Parse<string> = (text) => (/^[^\s{}]{1,200}$/.test(text) ? text : WRONG)

/** For how long an address is signed, ms: AWS signs for whole seconds, and for seven days at most. */
export const parsePresignedFor: Parse<number> = (text) => {
  const ms = parseDuration(text)
  return ms === WRONG || ms < 1000 || ms % 1000 !== 0 || ms > 7 * 86_400_000 ? WRONG : ms
}

/** Where webhooks are sent. A user in it would not be sent; a fragment neither. */
export const parseWebhookUrl: Parse<string> = (text) => {
  const url = urlOf(text, ['http:', 'https:'])
  return url !== null && url.username === '' && url.password === '' && url.hash === '' ? text : WRONG
}

/** What webhooks are signed with: several, while a receiver changes from one to another. */
export const parseWebhookSecrets: Parse<readonly string[]> = (text) => {
  const secrets = text.split(',').map((one) => one.trim())
  return secrets.every((secret) => readWebhookSecret(secret) !== null) ? secrets : WRONG
}

function isDots(segment: string): boolean {
  return segment === '.' || segment === '..'
}

function urlOf(text: string, protocols: readonly string[]): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null
  return url !== null && protocols.includes(url.protocol) ? url : null
}
