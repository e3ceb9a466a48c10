import { describe, expect, test } from 'vitest'
import { readCommand } from '../../../../adapters/standalone/command.ts'

const ID = '48bc476c-c29a-4d2f-809a-a6830126d3a7'

test('knows --help and --version before anything else is right', () => {
  expect(readCommand(['--help'], { PORT: 'abc' })).toEqual({ type: 'help' })
  expect(readCommand(['-h'], {})).toEqual({ type: 'help' })
  expect(readCommand(['inspect', '--help'], {})).toEqual({ type: 'help' })
  expect(readCommand(['--version'], { PORT: 'abc' })).toEqual({ type: 'version' })
})

test.each([
  [['--nope', '1'], /^Unknown option '--nope'/],
  [['--port'], /--port/],
  [['--port', '--host', 'x'], /--port/],
  [['--json'], /^--json goes with inspect only/],
  [['--dry-run'], /^--dry-run goes with sweep only/],
  [['sweep', 'x'], /^"x" does not go with sweep/],
  [['sweep', '--json'], /^--json does not go with sweep/],
  [['-x'], /^Unknown option '-x'/],
  [['serve'], /^There is no command "serve"/],
  [['--port', '1', 'extra'], /^There is no command "extra"/],
])('refuses %j in one line', (args, line) => {
  expect(() => readCommand(args, {})).toThrow(line)
  expect(() => readCommand(args, {})).toThrow(/^[^\n]+Try --help\.$/)
})

describe('inspect', () => {
  test('takes an id, a directory by flag or variable, and --json', () => {
    const inspect = { type: 'inspect', id: ID, directory: './data', json: false }
    expect(readCommand(['inspect', ID], {})).toEqual(inspect)
    expect(readCommand(['inspect', ID, '--json'], { DATA_DIR: '/d' })).toEqual({
      ...inspect,
      directory: '/d',
      json: true,
    })
    expect(readCommand(['--data-dir=/e', 'inspect', ID], { DATA_DIR: '/d' })).toEqual({ ...inspect, directory: '/e' })
    expect(readCommand(['inspect', '--data-dir', '/e', ID], {})).toEqual({ ...inspect, directory: '/e' })
  })

  test('does not care for what only a server needs', () => {
    expect(readCommand(['inspect', ID], { PORT: 'abc', HOST: '0.0.0.0' })).toMatchObject({ type: 'inspect' })
  })

  test.each([[[]], [['']], [[ID, ID]]])('refuses %j in place of one id', (ids) => {
    expect(() => readCommand(['inspect', ...ids], {})).toThrow(/^inspect wants one id: [^\n]+$/)
  })

  test('refuses the flags of a server', () => {
    expect(() => readCommand(['inspect', ID, '--port', '1'], {})).toThrow(/^--port does not go with inspect\./)
  })
})

describe('sweep', () => {
  test('takes the variables of a server, and --dry-run', () => {
    expect(readCommand(['sweep'], { DATA_DIR: '/d' })).toMatchObject({
      type: 'sweep',
      dryRun: false,
      configuration: { DATA_DIR: '/d' },
    })
    expect(readCommand(['sweep', '--dry-run', '--data-dir', '/e'], {})).toMatchObject({
      dryRun: true,
      configuration: { DATA_DIR: '/e' },
    })
    expect(() => readCommand(['sweep'], { PORT: 'abc' })).toThrow(/^PORT is "abc"/)
  })
})
