import { isIP } from 'node:net'
import { checkCorsOptions } from '../cors.ts'
import { checkMountPath, isUnder } from '../paths.ts'
import { parseChecked, WRONG, type Parse } from './parse-values.ts'

/** What the server itself answers. */
const OWN_PATHS: readonly string[] = ['/healthz', '/readyz', '/metrics', '/documentation', '/page']

/** Names for networks that every router of the internet keeps to itself. */
const NETWORK_NAMES: readonly string[] = ['loopback', 'linklocal', 'uniquelocal']

/** A name or an address to listen on. */
export const parseHost: Parse<string> = (text) => {
  if (isIP(text) !== 0 || /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/i.test(text)) return text
  // As it stands in an address.
  const inBrackets = /^\[(.+)\]$/.exec(text)?.[1] ?? ''
  return isIP(inBrackets) === 6 ? inBrackets : WRONG
}

/** A path for one of the faces. */
export const parseMountPath: Parse<string> = (text) => {
  const path = parseChecked((given: string) => checkMountPath('path', given))(text)
  return path !== WRONG && OWN_PATHS.some((own) => isUnder(path, own)) ? WRONG : path
}

/** `*`, `off`, or a list of origins. */
export const parseOrigins: Parse<'*' | 'off' | readonly string[]> = parseChecked((text) => {
  if (text === '*' || text === 'off') return text
  const origins = listOf(text)
  checkCorsOptions({ origins, credentials: true })
  return origins
})

/** Which proxies are believed: all, none, or a list of addresses and networks. */
export const parseProxies: Parse<boolean | readonly string[]> = (text) => {
  if (['on', 'true'].includes(text)) return true
  if (['off', 'false'].includes(text)) return false
  const proxies = listOf(text)
  return proxies.every(isNetwork) ? proxies : WRONG
}

function listOf(text: string): readonly string[] {
  return text.split(',').map((one) => one.trim())
}

function isNetwork(text: string): boolean {
  if (NETWORK_NAMES.includes(text)) return true
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  // A network of every address is `on`, and should say so.
  return bits === undefined || (/^[1-9][0-9]{0,2}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
