import { WRONG } from './parse-values.ts'
import type { Flags } from './flags.ts'
import { ConfigurationError } from './configuration-error.ts'
import { flagOf, type Variable } from './variable.ts'
import { VARIABLES, type VariableName } from './variables.ts'

type ValueOf<V> = V extends Variable<infer T> & { readonly default: infer D } ? (D extends null ? T | null : T) : never

/** The configuration of the server, by the names of its variables. Sizes are bytes, durations ms. */
export type Configuration = { readonly [Name in VariableName]: ValueOf<(typeof VARIABLES)[Name]> }

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A variable as it was written, and where: a mistake is told by the name that was used. */
interface Written {
  readonly label: string
  readonly text: string | null
}

/**
 * Reads flags and environment. A flag wins over its variable; a variable that is empty counts as not set, as compose
 * files pass them on.
 *
 * @throws ConfigurationError naming the variable or the flag, its value (of a secret it does not) and what is allowed
 */
export function readConfiguration(flags: Flags, environment: Environment): Configuration {
  const values = Object.entries<Variable<unknown>>(VARIABLES).map(([name, variable]) => {
    return [name, parseWritten(variable, written(name, variable, flags, environment))] as const
  })
  // The table gives every name its type; no type of TypeScript's follows a map over it.
  const configuration = Object.fromEntries(values) as Configuration
  const labelOf = (name: VariableName): string => written(name, VARIABLES[name], flags, environment).label
  checkTogether(configuration, labelOf)
  return configuration
}

/** One variable alone. @throws ConfigurationError */
export function readVariable<Name extends VariableName>(
  name: Name,
  flags: Flags,
  environment: Environment,
): Configuration[Name] {
  const variable: Variable<unknown> = VARIABLES[name]
  return parseWritten(variable, written(name, variable, flags, environment)) as Configuration[Name]
}

function written(name: string, variable: Variable<unknown>, flags: Flags, environment: Environment): Written {
  const flag = flags.values[flagOf(name)]
  if (typeof flag === 'string') return { label: `--${flagOf(name)}`, text: flag }
  return { label: name, text: (environment[name] || undefined) ?? variable.default }
}

function parseWritten<T>({ allowed, parse, secret }: Variable<T>, { label, text }: Written): T | null {
  if (text === null) return null
  const value = parse(text)
  if (value !== WRONG) return value
  if (secret === true) throw new ConfigurationError(`${label} is wrong, and not shown: allowed is ${allowed}.`)
  throw wrong(label, text, allowed)
}

function checkTogether(configuration: Configuration, labelOf: (name: VariableName) => string): void {
  const { HOST, AUTH, CORS_ORIGINS, CORS_CREDENTIALS, TUS_PATH, API_PREFIX } = configuration
  if (AUTH === null && !isLoopback(HOST)) {
    throw new ConfigurationError(
      `AUTH is not set and ${labelOf('HOST')} is ${JSON.stringify(HOST)}: allowed without AUTH is a loopback host such as 127.0.0.1; AUTH=jwt or AUTH=api-key asks who uploads, AUTH=none lets anybody who reaches the server upload.`,
    )
  }
  checkAccess(configuration, labelOf)
  if (configuration.METRICS_PORT === configuration.PORT && configuration.PORT !== 0) {
    throw wrong(labelOf('METRICS_PORT'), String(configuration.METRICS_PORT), 'a port other than PORT')
  }
  checkStorage(configuration, labelOf)
  const { CHUNK_SIZE, MIN_CHUNK_SIZE } = configuration
  if (MIN_CHUNK_SIZE !== null && MIN_CHUNK_SIZE > CHUNK_SIZE) {
    throw wrong(labelOf('MIN_CHUNK_SIZE'), `${MIN_CHUNK_SIZE}`, `CHUNK_SIZE, which is ${CHUNK_SIZE}, at most`)
  }
  if (configuration.SNIFF_TYPES && configuration.ALLOWED_TYPES === null) {
    throw wrong(labelOf('SNIFF_TYPES'), 'on', 'off, unless ALLOWED_TYPES names types')
  }
  checkWebhook(configuration, labelOf)
  if (CORS_CREDENTIALS && typeof CORS_ORIGINS === 'string') {
    throw wrong(
      labelOf('CORS_CREDENTIALS'),
      'on',
      `off, unless CORS_ORIGINS names origins; it is ${JSON.stringify(CORS_ORIGINS)}`,
    )
  }
  if (TUS_PATH !== API_PREFIX) return
  // The one that was written, not the other's default.
  const [name, other] = API_PREFIX === VARIABLES.API_PREFIX.default ? PATHS.toReversed() : PATHS
  throw wrong(labelOf(name ?? 'API_PREFIX'), API_PREFIX, `a path other than ${other}`)
}

function checkAccess(configuration: Configuration, labelOf: (name: VariableName) => string): void {
  const { AUTH, JWT_SECRET, JWKS_URL, API_KEYS } = configuration
  const auth = `${labelOf('AUTH')} is ${JSON.stringify(AUTH)}`
  if (AUTH === 'api-key' && API_KEYS === null) {
    throw new ConfigurationError(`API_KEYS is not set and ${auth}: name who may upload, and the key of each.`)
  }
  if (AUTH !== 'jwt') return
  if (JWT_SECRET === null && JWKS_URL === null) {
    throw new ConfigurationError(`JWT_SECRET and JWKS_URL are not set and ${auth}: set one of them.`)
  }
  if (JWT_SECRET !== null && JWKS_URL !== null) {
    throw new ConfigurationError(
      `${labelOf('JWT_SECRET')} and ${labelOf('JWKS_URL')} are set and ${auth}: set one of them only.`,
    )
  }
}

/** S3 takes no smaller parts; only the last may be. */
const LEAST_S3_CHUNK = 5 * 1024 * 1024

function checkStorage(configuration: Configuration, labelOf: (name: VariableName) => string): void {
  const { STORAGE, S3_BUCKET, CHUNK_SIZE, MAX_CHUNKS } = configuration
  if (STORAGE !== 's3') return
  if (S3_BUCKET === null) {
    throw new ConfigurationError(`S3_BUCKET is not set and ${labelOf('STORAGE')} is "s3": name the bucket.`)
  }
  if (CHUNK_SIZE < LEAST_S3_CHUNK) throw wrong(labelOf('CHUNK_SIZE'), `${CHUNK_SIZE}`, '5MiB or more with STORAGE=s3')
  if (MAX_CHUNKS > 10_000) throw wrong(labelOf('MAX_CHUNKS'), `${MAX_CHUNKS}`, '10000 at most with STORAGE=s3')
}

function checkWebhook({ WEBHOOK_URL, WEBHOOK_SECRET }: Configuration, labelOf: (name: VariableName) => string): void {
  if (WEBHOOK_URL === null || WEBHOOK_SECRET !== null) return
  throw new ConfigurationError(
    `WEBHOOK_SECRET is not set and ${labelOf('WEBHOOK_URL')} is: set whsec_ and 24 to 64 bytes in base64.`,
  )
}

const PATHS: readonly VariableName[] = ['API_PREFIX', 'TUS_PATH']

function wrong(label: string, text: string, allowed: string): ConfigurationError {
  return new ConfigurationError(`${label} is ${JSON.stringify(text)}: allowed is ${allowed}.`)
}

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(host)
}
