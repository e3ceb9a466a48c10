import { checkCorsOptions } from '../cors.ts'
import { checkMountPath, checkPublicUrl } from '../paths.ts'
import {
  parseChecked,
  parseCount,
  parseDuration,
  parseOneOf,
  parsePort,
  parseSize,
  parseSwitch,
  parseText,
  parseTimer,
  type Parse,
} from './parse-values.ts'

/** One variable of the server's configuration. Its flag has the same name in kebab case. */
export interface Variable<T> {
  /** The value where it is not set, as one would write it; null where there is none. */
  readonly default: string | null
  /** What may be written, for the line that refuses another value. */
  readonly allowed: string
  /** What it is for, for `--help`. */
  readonly about: string
  readonly parse: Parse<T>
}

const SIZE = 'a size such as 5MiB, 50GiB or 1000'
const DURATION = 'a duration such as 500ms, 90s, 15m, 24h or 7d'
const TIMER = `${DURATION}, at most 24d`
const SWITCH = 'on or off'

/** Every variable of the server, in the order in which `--help` tells of them. */
export const VARIABLES = {
  HOST: variable('127.0.0.1', 'a host name or address', 'address to listen on', parseText),
  PORT: variable('1080', '0 to 65535; 0 picks a free one', 'port to listen on; 0 picks a free one', parsePort),
  STORAGE: variable('file', 'file', 'where bytes are kept', parseOneOf('file')),
  DATA_DIR: variable('./data', 'a directory', 'unfinished uploads in uploads/, finished files in files/', parseText),
  FSYNC: variable(
    'complete',
    'complete, chunk or off',
    'what survives a power cut: completed files, every chunk, or nothing in particular',
    parseOneOf('complete', 'chunk', 'off'),
  ),
  CHUNK_SIZE: variable('5MiB', SIZE, 'bytes of a chunk', parseSize),
  MAX_CHUNKS: variable(
    '10000',
    'a positive whole number',
    'most chunks of one upload; chunks grow beyond it',
    parseCount,
  ),
  MAX_FILE_SIZE: variable(null, SIZE, 'largest file', parseSize),
  EXPIRES_AFTER: variable('24h', DURATION, 'an upload expires this long after its last byte or resume', parseDuration),
  MAX_LIFETIME: variable('7d', DURATION, 'and this long after its creation in any case', parseDuration),
  TUS_PATH: variable('/files', 'a path such as /files', 'path of the tus endpoint', mountPath),
  API_PREFIX: variable('/api/v1/uploads', 'a path such as /api/v1/uploads', 'path of the JSON API', mountPath),
  PUBLIC_URL: variable(
    null,
    'an http or https address without a query',
    'address under which clients reach the server',
    parseChecked((text) => checkPublicUrl('PUBLIC_URL', text)),
  ),
  CORS_ORIGINS: variable(
    '*',
    '*, off, or origins such as https://app.example.com, separated by commas',
    'pages of which origins may use the server from a browser',
    parseChecked(origins),
  ),
  CORS_CREDENTIALS: variable(
    'off',
    `${SWITCH}; on needs named CORS_ORIGINS`,
    'whether cookies may come along',
    parseSwitch,
  ),
  AUTH: variable(
    null,
    'none (this version has no other)',
    'who may upload; unset is none on a loopback HOST, and refuses to start on any other',
    parseOneOf('none'),
  ),
  IDLE_TIMEOUT: variable('60s', TIMER, 'a body that brings no byte for so long is ended', parseTimer),
  SHUTDOWN_TIMEOUT: variable('30s', TIMER, 'how long a shutdown may take', parseTimer),
  LOG_LEVEL: variable(
    'info',
    'trace, debug, info, warn, error, fatal or silent',
    'least level that is logged',
    parseOneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  ),
} as const satisfies Record<string, Variable<unknown>>

/** The name of a variable. */
export type VariableName = keyof typeof VARIABLES

/** The flag of a variable, without the dashes: `DATA_DIR` is `data-dir`. */
export function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

function variable<D extends string | null, T>(
  fallback: D,
  allowed: string,
  about: string,
  parse: Parse<T>,
): Variable<T> & { readonly default: D } {
  return { default: fallback, allowed, about, parse }
}

function mountPath(text: string): ReturnType<Parse<string>> {
  return parseChecked((path: string) => checkMountPath('path', path))(text)
}

/** @throws TypeError where an origin is none */
function origins(text: string): '*' | 'off' | readonly string[] {
  if (text === '*' || text === 'off') return text
  const list = text.split(',').map((origin) => origin.trim())
  checkCorsOptions({ origins: list, credentials: true })
  return list
}
