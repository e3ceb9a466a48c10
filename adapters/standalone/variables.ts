import { checkPublicUrl } from '../paths.ts'
import { parseApiKeys, parseJwtSecret, parseKeySetUrl } from './authentication/parse-access.ts'
import { parseHost, parseMountPath, parseOrigins, parseProxies } from './parse-network.ts'
import {
  parseBucket,
  parseEndpoint,
  parseKeyPrefix,
  parsePresignedFor,
  parseRedisPrefix,
  parseRedisUrl,
  parseWebhookSecrets,
  parseWebhookUrl,
} from './parse-services.ts'
import {
  parseChecked,
  parseCount,
  parseDuration,
  parseLease,
  parseOneOf,
  parsePort,
  parseRate,
  parseSize,
  parseSwitch,
  parseText,
  parseTimer,
  parseTypes,
  parseWhole,
} from './parse-values.ts'
import { variable, type Variable } from './variable.ts'

const SIZE = { value: 'SIZE', allowed: 'a size such as 5MiB, 50GiB or 1000' } as const
const DURATION = { value: 'DURATION', allowed: 'a duration such as 500ms, 90s, 15m, 24h or 7d, up to 36500d' } as const
const TIMER = { value: 'DURATION', allowed: 'a duration such as 500ms, 90s or 15m, up to 24d' } as const

const ADDRESS = {
  HOST: variable({
    default: '127.0.0.1',
    value: 'HOST',
    allowed: 'a host name or address, without a scheme or port',
    about: 'address to listen on',
    parse: parseHost,
  }),
  PORT: variable({
    default: '1080',
    value: 'PORT',
    allowed: '0 to 65535; 0 picks a free one',
    about: 'port to listen on; 0 picks a free one',
    parse: parsePort,
  }),
  METRICS_PORT: variable({
    default: null,
    unset: 'PORT',
    value: 'PORT',
    allowed: '0 to 65535, other than PORT; 0 picks a free one',
    about: 'port of its own for /metrics, on the same HOST; 0 picks a free one',
    parse: parsePort,
  }),
  TUS_PATH: variable({
    default: '/files',
    value: 'PATH',
    allowed: 'a path such as /files, other than those of /healthz, /readyz, /metrics, /documentation and /page',
    about: 'path of the tus endpoint',
    parse: parseMountPath,
  }),
  API_PREFIX: variable({
    default: '/api/v1/uploads',
    value: 'PATH',
    allowed:
      'a path such as /api/v1/uploads, other than those of /healthz, /readyz, /metrics, /documentation and /page',
    about: 'path of the JSON API',
    parse: parseMountPath,
  }),
  PUBLIC_URL: variable({
    default: null,
    value: 'URL',
    allowed: 'an http or https address without a query',
    about: 'address under which clients reach the server; without it the addresses in answers are relative',
    parse: parseChecked((text) => checkPublicUrl('PUBLIC_URL', text)),
  }),
  TRUST_PROXY: variable({
    default: 'off',
    value: 'PROXIES',
    allowed:
      'off, on, or addresses and networks such as 10.0.0.0/8, separated by commas, with loopback for this machine',
    about:
      "proxies whose X-Forwarded-For, -Proto and -Host are believed: the client's address in the log, and, without PUBLIC_URL, the addresses in answers",
    parse: parseProxies,
  }),
} as const

const STORAGE = {
  STORAGE: variable({
    default: 'file',
    value: 'file|s3',
    allowed: 'file or s3',
    about: 'where bytes are kept: in DATA_DIR, or in an S3 bucket',
    parse: parseOneOf('file', 's3'),
  }),
  DATA_DIR: variable({
    default: './data',
    value: 'DIR',
    allowed: 'a directory',
    about: 'unfinished uploads in uploads/, finished files in files/',
    parse: parseText,
  }),
  FSYNC: variable({
    default: 'complete',
    value: 'WHEN',
    allowed: 'complete, chunk or off',
    about: 'what survives a power cut: finished files (complete), every chunk (chunk), or nothing for certain (off)',
    parse: parseOneOf('complete', 'chunk', 'off'),
  }),
  S3_BUCKET: variable({
    default: null,
    value: 'NAME',
    allowed: 'the name of a bucket',
    about: 'with STORAGE=s3: the bucket; credentials and region as every AWS tool takes them',
    parse: parseBucket,
  }),
  S3_PREFIX: variable({
    default: 'holdfast/',
    value: 'PREFIX',
    allowed: 'the beginning of keys, with a slash at its end and none in front, such as holdfast/',
    about: 'what the keys of all objects begin with: nothing outside of it is ever touched',
    parse: parseKeyPrefix,
  }),
  S3_ENDPOINT: variable({
    default: null,
    unset: "AWS's",
    value: 'URL',
    allowed: 'an http or https address without a path',
    about: 'address of an S3 server that is not AWS',
    parse: parseEndpoint,
  }),
  S3_PRESIGNED_FOR: variable({
    default: null,
    unset: 'off',
    value: 'DURATION',
    allowed: 'a duration such as 90s, 15m or 24h, from 1s to 7d',
    about: 'with STORAGE=s3: downloads are redirected to the bucket, with an address that is signed for so long',
    parse: parsePresignedFor,
  }),
  S3_FORCE_PATH_STYLE: variable({
    default: 'off',
    value: 'on|off',
    allowed: 'on or off',
    about: 'whether the bucket stands in the path in place of the host name',
    parse: parseSwitch,
  }),
} as const

const STATE = {
  REDIS_URL: variable({
    default: null,
    value: 'URL',
    allowed: 'an address such as redis://127.0.0.1:6379 or rediss://user:password@redis.example:6380/0',
    about: 'state and locks in Redis, for many nodes; unset: in memory, for one process',
    parse: parseRedisUrl,
    secret: true,
  }),
  REDIS_PREFIX: variable({
    default: 'holdfast:',
    value: 'PREFIX',
    allowed: 'the beginning of a key, without spaces and braces',
    about: 'what all its keys begin with',
    parse: parseRedisPrefix,
  }),
  LOCK_LEASE: variable({
    default: '15s',
    ...TIMER,
    allowed: 'a duration such as 5s or 1m, from 1s to 24d',
    about: 'how long a node that died, or that Redis does not hear, keeps others from the uploads it was at',
    parse: parseLease,
  }),
} as const

const UPLOADS = {
  CHUNK_SIZE: variable({ default: '5MiB', ...SIZE, about: 'bytes of a chunk', parse: parseSize }),
  MIN_CHUNK_SIZE: variable({
    default: null,
    unset: 'what the storage takes',
    ...SIZE,
    about: 'smallest chunk that a client may ask for',
    parse: parseSize,
  }),
  MAX_CHUNKS: variable({
    default: '10000',
    value: 'COUNT',
    allowed: 'a positive whole number',
    about: 'most chunks of one upload; the chunks of larger files are larger',
    parse: parseCount,
  }),
  MAX_FILE_SIZE: variable({ default: null, ...SIZE, about: 'largest file', parse: parseSize }),
  EXPIRES_AFTER: variable({
    default: '24h',
    ...DURATION,
    about: 'an unfinished upload expires this long after its last byte or resume',
    parse: parseDuration,
  }),
  MAX_LIFETIME: variable({
    default: '7d',
    ...DURATION,
    about: 'and this long after its creation in any case',
    parse: parseDuration,
  }),
  FILES_EXPIRE_AFTER: variable({
    default: null,
    unset: 'never',
    ...DURATION,
    about: 'a finished file is deleted this long after its upload',
    parse: parseDuration,
  }),
  ALLOWED_TYPES: variable({
    default: null,
    unset: 'any',
    value: 'TYPES',
    allowed: 'media types such as image/*,application/pdf, separated by commas',
    about: 'types of the files that are taken, as they are declared; a wildcard stands for a subtype',
    parse: parseTypes,
  }),
  SNIFF_TYPES: variable({
    default: 'off',
    value: 'on|off',
    allowed: 'on or off; on needs ALLOWED_TYPES',
    about: "whether a file's first bytes must be of one of ALLOWED_TYPES too",
    parse: parseSwitch,
  }),
  MAX_UPLOADS_PER_USER: variable({
    default: null,
    unset: 'off',
    value: 'COUNT',
    allowed: 'a positive whole number',
    about: 'with AUTH=jwt or AUTH=api-key: most unfinished uploads of one user at a time',
    parse: parseCount,
  }),
  MAX_BYTES_PER_USER: variable({
    default: null,
    unset: 'off',
    ...SIZE,
    about:
      "with AUTH=jwt or AUTH=api-key: most bytes of one user's unfinished uploads together, each as large as it will be",
    parse: parseSize,
  }),
  MEMORY_BUDGET: variable({
    default: '256MiB',
    ...SIZE,
    about: 'memory for all bodies together on their way to storage; beyond it they wait unread',
    parse: parseSize,
  }),
  IDLE_TIMEOUT: variable({
    default: '60s',
    ...TIMER,
    about: 'a body that brings no byte for so long is ended; what it brought is kept',
    parse: parseTimer,
  }),
  MIN_BYTES_PER_SECOND: variable({
    default: '1024',
    value: 'BYTES',
    allowed: 'a whole number; 0 for none',
    about:
      'what a body must bring at the least while others wait for MEMORY_BUDGET; a slower one is ended as a silent one is',
    parse: parseWhole,
  }),
} as const

const HELD = {
  SPOOL_DIR: variable({
    default: null,
    unset: "the system's",
    value: 'DIR',
    allowed: 'a directory',
    about: 'where bodies are held when memory is short, in private files',
    parse: parseText,
  }),
  SPOOL_BUDGET: variable({
    default: '4GiB',
    ...SIZE,
    about: 'bytes of those files together; beyond it bodies wait unread',
    parse: parseSize,
  }),
  FILE_CHECKSUM: variable({
    default: 'full',
    value: 'full|composite',
    allowed: 'full or composite',
    about: 'SHA-256 of every finished file (full), or only where it is known without reading the file back (composite)',
    parse: parseOneOf('full', 'composite'),
  }),
} as const

const ACCESS = {
  AUTH: variable({
    default: null,
    unset: 'unset',
    value: 'none|jwt|api-key',
    allowed: 'none, jwt or api-key',
    about:
      'who may upload: anybody (none), or who sends a token (jwt) or a key (api-key); unset is none on a loopback HOST, and refuses to start on any other',
    parse: parseOneOf('none', 'jwt', 'api-key'),
  }),
  JWT_SECRET: variable({
    default: null,
    value: 'SECRET',
    allowed: 'a secret of 32 bytes or more',
    about: 'with AUTH=jwt: what tokens are signed with (HS256). As a flag it would stand in the list of processes',
    parse: parseJwtSecret,
    secret: true,
  }),
  JWKS_URL: variable({
    default: null,
    value: 'URL',
    allowed: 'an http or https address without a user and a fragment',
    about: 'with AUTH=jwt, in place of JWT_SECRET: where the public keys of tokens are (RS, PS, ES, EdDSA)',
    parse: parseKeySetUrl,
    secret: true,
  }),
  JWT_ISSUER: variable({
    default: null,
    unset: 'any',
    value: 'ISSUER',
    allowed: 'a text',
    about: 'with AUTH=jwt: who must have issued a token (iss)',
    parse: parseText,
  }),
  JWT_AUDIENCE: variable({
    default: null,
    unset: 'any',
    value: 'AUDIENCE',
    allowed: 'a text',
    about: 'with AUTH=jwt: for whom it must have been issued (aud)',
    parse: parseText,
  }),
  API_KEYS: variable({
    default: null,
    value: 'NAME:KEY,…',
    allowed: 'names and keys such as ann:…,build-server:…, each key once, without spaces and commas',
    about: 'with AUTH=api-key: who may upload, each with a key. As a flag they would stand in the list of processes',
    parse: parseApiKeys,
    secret: true,
  }),
  TOKEN_IN_LOCATION: variable({
    default: 'off',
    value: 'on|off',
    allowed: 'on or off',
    about:
      "with AUTH: whether the tus Location and tusUrl carry the upload's token, which is a secret until the upload ends",
    parse: parseSwitch,
  }),
  RATE_LIMIT: variable({
    default: null,
    unset: 'off',
    value: 'COUNT/DURATION',
    allowed: 'a count and a duration such as 100/1m, 10/1s or 5000/1h',
    about:
      'most requests of one user (without AUTH of one address) to the JSON API in that time, chunks included; tus is not limited',
    parse: parseRate,
  }),
  CORS_ORIGINS: variable({
    default: '*',
    value: 'ORIGINS',
    allowed: '*, off, or origins such as https://app.example.com, separated by commas',
    about: 'web pages of which origins may use the server',
    parse: parseOrigins,
  }),
  CORS_CREDENTIALS: variable({
    default: 'off',
    value: 'on|off',
    allowed: 'on or off; on needs named CORS_ORIGINS',
    about: 'whether cookies may come along; needs named origins',
    parse: parseSwitch,
  }),
} as const

const EVENTS = {
  WEBHOOK_URL: variable({
    default: null,
    value: 'URL',
    allowed: 'an http or https address without a user and a fragment',
    about: 'who is told of finished, cancelled, expired and failed uploads: a POST of JSON for each, signed',
    parse: parseWebhookUrl,
    secret: true,
  }),
  WEBHOOK_SECRET: variable({
    default: null,
    value: 'SECRET',
    allowed: 'whsec_ and 24 to 64 bytes in base64, or several of those, separated by commas',
    about: 'with WEBHOOK_URL: what its requests are signed with. As a flag it would stand in the list of processes',
    parse: parseWebhookSecrets,
    secret: true,
  }),
} as const

const DOWNLOADS = {
  CDN_URL: variable({
    default: null,
    value: 'URL',
    allowed: 'an http or https address without a query',
    about:
      'where a CDN serves the bucket, or DATA_DIR/files: base of the url of finished files, where downloads are redirected',
    parse: parseChecked((text) => checkPublicUrl('CDN_URL', text)),
  }),
} as const

const OPERATION = {
  SHUTDOWN_TIMEOUT: variable({ default: '30s', ...TIMER, about: 'how long a shutdown may take', parse: parseTimer }),
  LOG_LEVEL: variable({
    default: 'info',
    value: 'LEVEL',
    allowed: 'trace, debug, info, warn, error, fatal or silent',
    about: 'least level that is logged: trace, debug, info, warn, error, fatal or silent',
    parse: parseOneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  }),
  LOG_FORMAT: variable({
    default: null,
    unset: 'json (pretty on a terminal)',
    value: 'FORMAT',
    allowed: 'json or pretty',
    about: 'json, one object a line, or pretty',
    parse: parseOneOf('json', 'pretty'),
  }),
} as const

/** Every variable of the server. */
export const VARIABLES = {
  ...ADDRESS,
  ...STORAGE,
  ...UPLOADS,
  ...STATE,
  ...HELD,
  ...ACCESS,
  ...DOWNLOADS,
  ...EVENTS,
  ...OPERATION,
} as const satisfies Record<string, Variable<unknown>>

/** The variables in the order in which `--help` tells of them. */
export const SECTIONS: readonly { readonly title: string; readonly variables: Record<string, Variable<unknown>> }[] = [
  { title: 'Address', variables: ADDRESS },
  { title: 'Storage', variables: STORAGE },
  { title: 'State', variables: STATE },
  { title: 'Uploads', variables: { ...UPLOADS, ...HELD } },
  { title: 'Access', variables: ACCESS },
  { title: 'Downloads', variables: DOWNLOADS },
  { title: 'Events', variables: EVENTS },
  { title: 'Operation', variables: OPERATION },
]

/** The name of a variable. */
export type VariableName = keyof typeof VARIABLES
