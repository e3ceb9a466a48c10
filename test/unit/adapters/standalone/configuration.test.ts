import { describe, expect, test } from 'vitest'
import { readCommand } from '../../../../adapters/standalone/command.ts'
import { isLoopback, type Configuration } from '../../../../adapters/standalone/configuration.ts'
import { flagOf } from '../../../../adapters/standalone/variable.ts'
import { VARIABLES, type VariableName } from '../../../../adapters/standalone/variables.ts'

function configure(args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): Configuration {
  const command = readCommand(args, environment)
  if (command.type !== 'serve') throw new Error(`not serve but ${command.type}`)
  return command.configuration
}

const MIB = 2 ** 20
const HOUR = 3_600_000
const DAY = 24 * HOUR

interface Cases {
  /** The value where nothing is set. */
  readonly unset: unknown
  readonly right: readonly (readonly [text: string, value: unknown])[]
  readonly wrong: readonly string[]
  /** What has to be set as well for what is right. */
  readonly beside?: Readonly<Record<string, string>>
  /** Whether what is wrong is not shown. */
  readonly secret?: true
}

const SIZES: Pick<Cases, 'right' | 'wrong'> = {
  right: [
    ['1000', 1000],
    ['5MiB', 5 * MIB],
    ['50GB', 50e9],
  ],
  wrong: ['0', '-1', '5M', '1.5GiB', 'large', '9999999TiB', ' '],
}
const DURATIONS: Pick<Cases, 'right' | 'wrong'> = {
  right: [
    ['500ms', 500],
    ['36500d', 36_500 * DAY],
  ],
  wrong: ['24', '0d', '-1h', '1.5h', '1w', 'x', '36501d'],
}
const TIMERS: Pick<Cases, 'right' | 'wrong'> = { right: [['24d', 24 * DAY]], wrong: ['25d', '60', '0s', 'x'] }

/** Every variable, with values that are right and values that are wrong. */
const TABLE: Readonly<Record<VariableName, Cases>> = {
  HOST: {
    unset: '127.0.0.1',
    right: [
      ['::1', '::1'],
      ['[::1]', '::1'],
      ['localhost', 'localhost'],
      ['127.0.0.9', '127.0.0.9'],
    ],
    wrong: ['http://0.0.0.0', '127.0.0.1:80', 'a b', '[localhost]', '-x', ' '],
  },
  PORT: {
    unset: 1080,
    right: [
      ['0', 0],
      ['65535', 65_535],
    ],
    wrong: ['abc', '65536', '-1', '80.5', '1e3'],
  },
  METRICS_PORT: {
    unset: null,
    right: [
      ['0', 0],
      ['9100', 9100],
    ],
    wrong: ['abc', '65536', '-1', '1080'],
  },
  TUS_PATH: {
    unset: '/files',
    right: [['/up/tus', '/up/tus']],
    wrong: ['files', '/', '/files/', '/:id', '/a/../b', '/readyz', '/documentation/tus', '/api/v1/uploads'],
  },
  API_PREFIX: {
    unset: '/api/v1/uploads',
    right: [['/u', '/u']],
    wrong: ['api', '/api/', '/a b', '/healthz', '/metrics', '/files'],
  },
  PUBLIC_URL: {
    unset: null,
    right: [
      ['https://up.example/', 'https://up.example'],
      ['http://up.example:8080/x', 'http://up.example:8080/x'],
    ],
    wrong: ['up.example', 'ftp://up.example', 'https://up.example/?x=1', 'https://me@up.example'],
  },
  TRUST_PROXY: {
    unset: false,
    right: [
      ['on', true],
      ['off', false],
      ['loopback, 10.0.0.0/8,fd00::/8, 192.0.2.7', ['loopback', '10.0.0.0/8', 'fd00::/8', '192.0.2.7']],
    ],
    // A count of proxies says nothing of who sends: Fastify trusts nobody then.
    wrong: ['1', 'yes', 'proxy.example', '10.0.0.0/33', '0.0.0.0/0', '10.0.0.0/8/8', '10.0.0.1,', ','],
  },
  STORAGE: { unset: 'file', right: [['file', 'file']], wrong: ['S3', 'File', 'disk'] },
  S3_BUCKET: {
    unset: null,
    right: [
      ['my-bucket.example', 'my-bucket.example'],
      ['abc', 'abc'],
    ],
    wrong: ['s3://bucket', 'a b', 'a/b', '-x', 'a', ' '],
  },
  S3_PREFIX: {
    unset: 'holdfast/',
    right: [
      ['a/b/', 'a/b/'],
      ['x/', 'x/'],
    ],
    wrong: ['x', 'a/b', '/', '/a/', 'a b/', '../a/', 'a/./b/', 'a\\b/', `${'x'.repeat(512)}/`, ' '],
  },
  S3_ENDPOINT: {
    unset: null,
    right: [
      ['http://127.0.0.1:9000', 'http://127.0.0.1:9000'],
      ['https://s3.example/', 'https://s3.example'],
    ],
    wrong: ['s3.example', '127.0.0.1:9000', 'ftp://x', 'http://s3.example/bucket', 'http://key:secret@s3.example'],
  },
  S3_FORCE_PATH_STYLE: { unset: false, right: [['on', true]], wrong: ['maybe', 'yes'] },
  REDIS_URL: {
    unset: null,
    right: [
      ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379'],
      ['rediss://me:secret@redis.example:6380/2', 'rediss://me:secret@redis.example:6380/2'],
    ],
    wrong: ['127.0.0.1:6379', 'http://127.0.0.1', 'redis://', 'redis://a/b', 'localhost', ' '],
    secret: true,
  },
  REDIS_PREFIX: { unset: 'holdfast:', right: [['app:uploads:', 'app:uploads:']], wrong: ['a b', 'a{b', '}', ' '] },
  DATA_DIR: { unset: './data', right: [['/srv/up loads', '/srv/up loads']], wrong: [' '] },
  FSYNC: {
    unset: 'complete',
    right: [
      ['chunk', 'chunk'],
      ['off', 'off'],
    ],
    wrong: ['always', 'on', 'CHUNK'],
  },
  CHUNK_SIZE: { unset: 5 * MIB, ...SIZES },
  MIN_CHUNK_SIZE: {
    unset: null,
    right: [['64KiB', 65_536]],
    // Which must not be above CHUNK_SIZE.
    wrong: ['0', 'x', '-1'],
  },
  MAX_CHUNKS: { unset: 10_000, right: [['1', 1]], wrong: ['0', '-5', '1.5', 'x', '5MiB'] },
  MAX_FILE_SIZE: { unset: null, ...SIZES },
  ALLOWED_TYPES: {
    unset: null,
    right: [
      ['image/*', ['image/*']],
      ['Image/PNG, text/plain,*/*', ['image/png', 'text/plain', '*/*']],
    ],
    wrong: ['image', 'image/', '*/png', 'image/*,', 'image/png;q=1', 'png', ' '],
  },
  SNIFF_TYPES: {
    unset: false,
    right: [
      ['on', true],
      ['off', false],
    ],
    beside: { ALLOWED_TYPES: 'image/*' },
    // Which needs types.
    wrong: ['maybe', 'on'],
  },
  MAX_UPLOADS_PER_USER: { unset: null, right: [['5', 5]], wrong: ['0', '-5', '1.5', 'x', '5MiB'] },
  MAX_BYTES_PER_USER: { unset: null, ...SIZES },
  EXPIRES_AFTER: { unset: DAY, ...DURATIONS },
  MAX_LIFETIME: { unset: 7 * DAY, ...DURATIONS },
  FILES_EXPIRE_AFTER: { unset: null, ...DURATIONS },
  LOCK_LEASE: {
    unset: 15_000,
    right: [
      ['1s', 1000],
      ['2m', 120_000],
    ],
    wrong: ['999ms', '0', '15', '30d', 'x'],
  },
  IDLE_TIMEOUT: { unset: 60_000, ...TIMERS },
  MIN_BYTES_PER_SECOND: {
    unset: 1024,
    right: [
      ['0', 0],
      ['20000', 20_000],
    ],
    wrong: ['-1', '1.5', 'x', '1KiB', '00'],
  },
  MEMORY_BUDGET: { unset: 256 * MIB, ...SIZES },
  SPOOL_DIR: { unset: null, right: [['/var/spool/x', '/var/spool/x']], wrong: [' '] },
  SPOOL_BUDGET: { unset: 4096 * MIB, ...SIZES },
  FILE_CHECKSUM: { unset: 'full', right: [['composite', 'composite']], wrong: ['none', 'sha256'] },
  AUTH: {
    unset: null,
    right: [
      ['none', 'none'],
      ['jwt', 'jwt'],
      ['api-key', 'api-key'],
    ],
    beside: { JWKS_URL: 'https://id.example/keys', API_KEYS: 'ann:a' },
    wrong: ['off', 'None', 'JWT', 'apikey', 'jwt,api-key'],
  },
  JWT_SECRET: {
    unset: null,
    right: [
      ['x'.repeat(32), 'x'.repeat(32)],
      // Bytes count.
      ['ü'.repeat(16), 'ü'.repeat(16)],
    ],
    wrong: ['x'.repeat(31), 'secret', ' '],
    secret: true,
  },
  JWKS_URL: {
    unset: null,
    right: [
      ['https://id.example/.well-known/jwks.json', new URL('https://id.example/.well-known/jwks.json')],
      ['http://127.0.0.1:8080/keys?tenant=1', new URL('http://127.0.0.1:8080/keys?tenant=1')],
    ],
    wrong: [
      'id.example/keys',
      'file:///etc/keys',
      'https://me:secret@id.example/keys',
      'https://id.example/#keys',
      ' ',
    ],
    secret: true,
  },
  JWT_ISSUER: { unset: null, right: [['https://id.example/', 'https://id.example/']], wrong: [' '] },
  JWT_AUDIENCE: { unset: null, right: [['uploads', 'uploads']], wrong: [' '] },
  CDN_URL: {
    unset: null,
    right: [['https://cdn.example/files/', 'https://cdn.example/files']],
    wrong: ['cdn.example', 'ftp://cdn.example', 'https://cdn.example?a=1', ' '],
  },
  S3_PRESIGNED_FOR: {
    unset: null,
    right: [
      ['90s', 90_000],
      ['7d', 7 * DAY],
    ],
    wrong: ['on', '500ms', '1500ms', '8d', '0s', '15'],
  },
  WEBHOOK_URL: {
    unset: null,
    right: [['https://app.example/hooks?k=1', 'https://app.example/hooks?k=1']],
    wrong: ['app.example', 'ftp://app.example', 'https://ann:x@app.example', 'https://app.example/#a', ' '],
    beside: { WEBHOOK_SECRET: `whsec_${'a'.repeat(32)}` },
    secret: true,
  },
  WEBHOOK_SECRET: {
    unset: null,
    right: [
      [`whsec_${'a'.repeat(32)}`, [`whsec_${'a'.repeat(32)}`]],
      [`whsec_${'a'.repeat(32)}, ${'b'.repeat(40)}`, [`whsec_${'a'.repeat(32)}`, 'b'.repeat(40)]],
    ],
    wrong: ['whsec_', `whsec_${'a'.repeat(28)}`, `whsec_${'a'.repeat(92)}`, `whsec_${'!'.repeat(32)}`, 'password', ' '],
    secret: true,
  },
  API_KEYS: {
    unset: null,
    right: [
      ['ann:key-of-ann', [{ name: 'ann', key: 'key-of-ann' }]],
      // One of a name may be exchanged for another while both hold; a key may have a colon.
      [
        'ann:1, ann:2,build-server@x:a:b',
        [
          { name: 'ann', key: '1' },
          { name: 'ann', key: '2' },
          { name: 'build-server@x', key: 'a:b' },
        ],
      ],
    ],
    wrong: ['key', 'ann:', ':key', 'ann:key,', 'ann:a b', 'ann smith:key', 'ann:same,eve:same', 'ann:ü', ' '],
    secret: true,
  },
  RATE_LIMIT: {
    unset: null,
    right: [
      ['100/1m', { max: 100, windowMs: 60_000 }],
      ['1/500ms', { max: 1, windowMs: 500 }],
    ],
    wrong: ['100', '100/', '/1m', '0/1m', '100/0s', '100/m', '1.5/1s', '100/1m/2', '-1/1m', '100 / 1m', '10/30d'],
  },
  CORS_ORIGINS: {
    unset: '*',
    right: [
      ['off', 'off'],
      ['https://a.example, http://localhost:5173', ['https://a.example', 'http://localhost:5173']],
    ],
    wrong: ['https://a.example/x', 'a.example', 'https://*.example', ','],
  },
  TOKEN_IN_LOCATION: {
    unset: false,
    right: [
      ['on', true],
      ['off', false],
    ],
    wrong: ['maybe'],
  },
  CORS_CREDENTIALS: {
    unset: false,
    right: [
      ['off', false],
      ['false', false],
    ],
    // Which needs named origins.
    wrong: ['maybe', 'on'],
  },
  SHUTDOWN_TIMEOUT: { unset: 30_000, ...TIMERS },
  LOG_LEVEL: {
    unset: 'info',
    right: [
      ['silent', 'silent'],
      ['trace', 'trace'],
    ],
    wrong: ['loud', 'INFO', '30'],
  },
  LOG_FORMAT: {
    unset: null,
    right: [
      ['json', 'json'],
      ['pretty', 'pretty'],
    ],
    wrong: ['text', 'JSON'],
  },
}

describe.each(Object.entries(TABLE))('%s', (name, { unset, right, wrong, beside = {}, secret }) => {
  const flag = flagOf(name)

  test('has its default, also where it is set to nothing', () => {
    expect(configure()).toHaveProperty(name, unset)
    expect(configure([], { [name]: '' })).toHaveProperty(name, unset)
  })

  test.each(right)('takes %j', (text, value) => {
    expect(configure([], { ...beside, [name]: text })).toHaveProperty(name, value)
    expect(configure([`--${flag}=${text}`], beside)).toHaveProperty(name, value)
    // In two words, and over a variable that says otherwise, even wrongly.
    expect(configure([`--${flag}`, text], { ...beside, [name]: wrong[0] ?? '' })).toHaveProperty(name, value)
  })

  test.each(wrong)('refuses %j in one line that says where it was written, what it is and what is allowed', (text) => {
    const rest = secret === true ? 'is wrong, and not shown: allowed is ' : `is ${JSON.stringify(text)}: allowed is `
    const line = (label: string): unknown => expect.stringMatching(new RegExp(`^${escape(label + rest)}[^\\n]+\\.$`))
    expect(refusalOf([], { [name]: text })).toEqual(line(`${name} `))
    expect(refusalOf([`--${flag}=${text}`])).toEqual(line(`--${flag} `))
  })
})

test('the table has every variable', () => {
  expect(Object.keys(TABLE).toSorted()).toEqual(Object.keys(VARIABLES).toSorted())
})

test('a flag that is given as nothing is wrong, as somebody wrote it', () => {
  expect(refusalOf(['--data-dir='])).toBe('--data-dir is "": allowed is a directory.')
})

test('tokens need a secret or a key set, and not both; keys are named', () => {
  const secret = { JWT_SECRET: 'x'.repeat(32) }
  const keySet = { JWKS_URL: 'https://id.example/keys' }
  expect(configure([], { AUTH: 'jwt', HOST: '0.0.0.0', ...secret })).toMatchObject({ AUTH: 'jwt', ...secret })
  expect(configure(['--auth=jwt'], keySet)).toMatchObject({ AUTH: 'jwt', JWT_SECRET: null })
  expect(refusalOf([], { AUTH: 'jwt' })).toBe('JWT_SECRET and JWKS_URL are not set and AUTH is "jwt": set one of them.')
  expect(refusalOf(['--auth=jwt'], { ...secret, ...keySet })).toBe(
    'JWT_SECRET and JWKS_URL are set and --auth is "jwt": set one of them only.',
  )
  expect(refusalOf([], { AUTH: 'api-key' })).toBe(
    'API_KEYS is not set and AUTH is "api-key": name who may upload, and the key of each.',
  )
})

test('a webhook needs a secret', () => {
  const secret = { WEBHOOK_SECRET: `whsec_${'a'.repeat(32)}` }
  expect(configure([], secret)).toMatchObject({ WEBHOOK_URL: null })
  for (const refusal of [
    refusalOf([], { WEBHOOK_URL: 'https://app.example/marked' }),
    refusalOf(['--webhook-url=https://app.example/marked']),
  ]) {
    expect(refusal).toMatch(/^WEBHOOK_SECRET is not set and (?:WEBHOOK_URL|--webhook-url) is: set whsec_ /)
    expect(refusal).not.toContain('marked')
  }
})

test('no refusal shows a secret, whatever is wrong with it', () => {
  const url = 'https://me:marked@id.example'
  const marks = ['x'.repeat(31), 'ann:marked secret', url, 'redis://me:marked@a/b', url, 'whsec_marked']
  const names = ['JWT_SECRET', 'API_KEYS', 'JWKS_URL', 'REDIS_URL', 'WEBHOOK_URL', 'WEBHOOK_SECRET']
  for (const [n, name] of names.entries()) {
    const text = marks[n] ?? ''
    for (const refusal of [refusalOf([], { [name]: text }), refusalOf([`--${flagOf(name)}=${text}`])]) {
      expect(refusal).toContain('is wrong, and not shown')
      expect(refusal).not.toMatch(/xxx|marked/)
    }
  }
})

test('S3 needs a bucket, and chunks as large as its parts', () => {
  const s3 = { STORAGE: 's3', S3_BUCKET: 'acme' }
  expect(configure([], s3)).toMatchObject({ STORAGE: 's3', S3_BUCKET: 'acme', S3_PREFIX: 'holdfast/' })
  expect(refusalOf([], { STORAGE: 's3' })).toBe('S3_BUCKET is not set and STORAGE is "s3": name the bucket.')
  expect(refusalOf(['--storage=s3'])).toBe('S3_BUCKET is not set and --storage is "s3": name the bucket.')
  expect(refusalOf(['--chunk-size=1MiB'], s3)).toBe(
    '--chunk-size is "1048576": allowed is 5MiB or more with STORAGE=s3.',
  )
  expect(refusalOf([], { ...s3, MAX_CHUNKS: '10001' })).toBe(
    'MAX_CHUNKS is "10001": allowed is 10000 at most with STORAGE=s3.',
  )
})

test('no floor of chunks is above the chunks of the server', () => {
  expect(configure([], { MIN_CHUNK_SIZE: '5MiB' })).toMatchObject({ MIN_CHUNK_SIZE: 5 * MIB })
  expect(refusalOf(['--min-chunk-size=6MiB'])).toBe(
    '--min-chunk-size is "6291456": allowed is CHUNK_SIZE, which is 5242880, at most.',
  )
})

test('credentials go with named origins', () => {
  const environment = { CORS_ORIGINS: 'https://a.example', CORS_CREDENTIALS: 'on' }
  expect(configure([], environment)).toMatchObject({ CORS_ORIGINS: ['https://a.example'], CORS_CREDENTIALS: true })
})

test('where both faces have one path, the one that was written is named', () => {
  expect(refusalOf([], { TUS_PATH: '/x', API_PREFIX: '/x' })).toBe(
    'API_PREFIX is "/x": allowed is a path other than TUS_PATH.',
  )
})

test('without AUTH only this machine may reach the server', () => {
  for (const HOST of ['127.0.0.1', '127.1.2.3', '::1', '[::1]', 'localhost']) {
    expect(configure([], { HOST }).AUTH).toBeNull()
  }
  for (const HOST of ['0.0.0.0', '::', '192.168.1.2', 'example.com', '127.0.0.1.example.com']) {
    expect(refusalOf([], { HOST })).toMatch(/^AUTH is not set and HOST is "[^"]+": allowed [^\n]+$/)
    expect(refusalOf(['--host', HOST])).toMatch(/^AUTH is not set and --host is /)
    expect(configure([], { HOST, AUTH: 'none' })).toMatchObject({ HOST, AUTH: 'none' })
  }
})

test('isLoopback', () => {
  expect(isLoopback('127.0.0.1')).toBe(true)
  expect(isLoopback('128.0.0.1')).toBe(false)
})

function refusalOf(args: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
  try {
    configure(args, environment)
  } catch (error) {
    return error instanceof Error && error.name === 'ConfigurationError' ? error.message : `thrown: ${String(error)}`
  }
  return 'not refused'
}

function escape(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')
}
