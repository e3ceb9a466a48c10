import { describe, expect, it } from 'vitest'
import { readCommand } from '../../../../../adapters/standalone/command.ts'

const TO = 'http://127.0.0.1:1080'

describe('upload', () => {
  it('takes files, an address, and what else is said', () => {
    expect(readCommand(['upload', 'a', 'b c', '--to', TO], {})).toEqual({
      type: 'upload',
      files: ['a', 'b c'],
      to: `${TO}/`,
      apiPrefix: '/api/v1/uploads',
      token: null,
      parallel: 3,
      contentType: '',
      json: false,
    })
    const flags = ['--token=t', '--parallel', '8', '--type', 'video/mp4', '--json', '--api-prefix=/up']
    expect(readCommand(['upload', '--to=https://x.example/base', 'a', ...flags], { HOLDFAST_TOKEN: 'other' })).toEqual({
      type: 'upload',
      files: ['a'],
      to: 'https://x.example/base',
      apiPrefix: '/up',
      token: 't',
      parallel: 8,
      contentType: 'video/mp4',
      json: true,
    })
  })

  it('takes the address and the token of the environment, and cares for nothing that a server needs', () => {
    const environment = { HOLDFAST_TOKEN: 'secret', HOLDFAST_URL: TO, PORT: 'abc' }
    expect(readCommand(['upload', 'a'], environment)).toMatchObject({ token: 'secret', to: `${TO}/` })
    expect(readCommand(['upload', 'a'], { ...environment, HOLDFAST_TOKEN: '' })).toMatchObject({ token: null })
  })

  it('has a help of its own', () => {
    expect(readCommand(['upload', '--help'], {})).toEqual({ type: 'upload-help' })
    expect(readCommand(['upload', 'a', '-h'], {})).toEqual({ type: 'upload-help' })
  })

  it.each([
    [[], /^upload wants files/],
    [['a'], /^upload wants --to URL/],
    [['a', '--to', 'uploads.example.com'], /^--to is "uploads\.example\.com"/],
    [['a', '--to', 'ftp://x.example'], /^--to is/],
    [['a', '--to', `${TO}?token=x`], /^--to is/],
    [['a', '--to', TO, '--parallel', '0'], /^--parallel is "0": allowed is 1 to 64/],
    [['a', '--to', TO, '--parallel', 'many'], /^--parallel is "many"/],
    [['a', '--to', TO, '--port', '1'], /^Unknown option '--port'\. Try upload --help\.$/],
  ])('refuses %j in one line', (args, line) => {
    expect(() => readCommand(['upload', ...args], {})).toThrow(line)
    expect(() => readCommand(['upload', ...args], {})).toThrow(/^[^\n]+$/)
  })
})
