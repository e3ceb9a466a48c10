import { describe, expect, test } from 'vitest'
import { isLoopback, readCommand, type Configuration } from '../../../../adapters/standalone/configuration.ts'
import { helpText } from '../../../../adapters/standalone/help.ts'
import { flagOf, VARIABLES } from '../../../../adapters/standalone/variables.ts'

function configure(args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): Configuration {
  const command = readCommand(args, environment)
  if (command.type !== 'serve') throw new Error(`not serve but ${command.type}`)
  return command.configuration
}

describe('readCommand', () => {
  test('fills in the defaults', () => {
    expect(configure()).toEqual({
      HOST: '127.0.0.1',
      PORT: 1080,
      STORAGE: 'file',
      DATA_DIR: './data',
      FSYNC: 'complete',
      CHUNK_SIZE: 5 * 2 ** 20,
      MAX_CHUNKS: 10_000,
      MAX_FILE_SIZE: null,
      EXPIRES_AFTER: 86_400_000,
      MAX_LIFETIME: 604_800_000,
      TUS_PATH: '/files',
      API_PREFIX: '/api/v1/uploads',
      PUBLIC_URL: null,
      CORS_ORIGINS: '*',
      CORS_CREDENTIALS: false,
      AUTH: null,
      IDLE_TIMEOUT: 60_000,
      SHUTDOWN_TIMEOUT: 30_000,
      LOG_LEVEL: 'info',
    })
  })

  test('lets a flag win over its variable, and takes an empty variable for none', () => {
    const environment = { PORT: '1', DATA_DIR: '', CHUNK_SIZE: '1MiB' }
    expect(configure(['--port', '2', '--max-file-size=50GiB'], environment)).toMatchObject({
      PORT: 2,
      DATA_DIR: './data',
      CHUNK_SIZE: 2 ** 20,
      MAX_FILE_SIZE: 50 * 2 ** 30,
    })
  })

  test('reads a list of origins', () => {
    const environment = { CORS_ORIGINS: 'https://a.example, http://localhost:5173', CORS_CREDENTIALS: 'on' }
    expect(configure([], environment)).toMatchObject({
      CORS_ORIGINS: ['https://a.example', 'http://localhost:5173'],
      CORS_CREDENTIALS: true,
    })
  })

  test('drops the slash at the end of a public address', () => {
    expect(configure([], { PUBLIC_URL: 'https://up.example/' }).PUBLIC_URL).toBe('https://up.example')
  })

  test.each([
    ['PORT', 'abc'],
    ['PORT', '65536'],
    ['STORAGE', 's3'],
    ['FSYNC', 'always'],
    ['CHUNK_SIZE', '0'],
    ['MAX_CHUNKS', '-5'],
    ['MAX_FILE_SIZE', 'large'],
    ['EXPIRES_AFTER', '24'],
    ['MAX_LIFETIME', '0d'],
    ['TUS_PATH', 'files'],
    ['API_PREFIX', '/files'],
    ['PUBLIC_URL', 'up.example'],
    ['CORS_ORIGINS', 'https://a.example/x'],
    ['CORS_CREDENTIALS', 'maybe'],
    ['CORS_CREDENTIALS', 'on'],
    ['AUTH', 'jwt'],
    ['AUTH', 'api-key'],
    ['IDLE_TIMEOUT', '60d'],
    ['SHUTDOWN_TIMEOUT', 'x'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s in one line that names it, its value and what is allowed', (name, value) => {
    const line = new RegExp(`^${name} is "${value}": allowed is [^\\n]+$`)
    expect(() => configure([], { [name]: value })).toThrow(line)
    expect(() => configure([`--${flagOf(name)}=${value}`])).toThrow(line)
  })

  test.each([[['--nope', '1']], [['--port']], [['serve']], [['-x']]])('refuses %j in one line', (args) => {
    expect(() => configure(args)).toThrow(/^[^\n]+Try --help\.$/)
  })

  test('serves without authentication where only this machine can reach it', () => {
    for (const HOST of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) expect(configure([], { HOST }).AUTH).toBeNull()
    for (const HOST of ['0.0.0.0', '::', '192.168.1.2', 'example.com', '127.0.0.1.example.com']) {
      expect(() => configure([], { HOST })).toThrow(/^AUTH is not set and HOST is/)
      expect(configure([], { HOST, AUTH: 'none' })).toMatchObject({ HOST, AUTH: 'none' })
    }
  })

  test('knows --help and --version before anything else is right', () => {
    expect(readCommand(['--help'], { PORT: 'abc' })).toEqual({ type: 'help' })
    expect(readCommand(['-h'], {})).toEqual({ type: 'help' })
    expect(readCommand(['--version'], {})).toEqual({ type: 'version' })
  })
})

test('helpText tells of every variable and its flag', () => {
  const help = helpText()
  for (const name of Object.keys(VARIABLES)) expect(help).toContain(`  --${flagOf(name)}, ${name}\n`)
})

test('isLoopback', () => {
  expect(isLoopback('127.0.0.1')).toBe(true)
  expect(isLoopback('128.0.0.1')).toBe(false)
})
