import { readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'

const TIMEOUT = { timeout: 40_000 }

/** Values that are wrong, each in a way of its own; what is right and wrong of every variable is tested by itself. */
const WRONG: readonly (readonly [
  variables: Readonly<Record<string, string>>,
  args: readonly string[],
  line: string,
])[] = [
  [{ PORT: 'abc' }, [], 'PORT is "abc": allowed is 0 to 65535; 0 picks a free one.'],
  [{ STORAGE: 's4' }, [], 'STORAGE is "s4": allowed is file or s3.'],
  [{ STORAGE: 's3' }, [], 'S3_BUCKET is not set and STORAGE is "s3": name the bucket.'],
  [
    { STORAGE: 's3', S3_BUCKET: 'acme', S3_PREFIX: 'holdfast' },
    [],
    'S3_PREFIX is "holdfast": allowed is the beginning of keys, with a slash at its end and none in front, such as holdfast/.',
  ],
  [{ PORT: '0' }, ['--port=abc'], '--port is "abc": allowed is 0 to 65535; 0 picks a free one.'],
  [{ LOG_LEVEL: 'a\nb' }, [], 'LOG_LEVEL is "a\\nb": allowed is trace, debug, info, warn, error, fatal or silent.'],
  [{}, ['--no-such-flag'], "Unknown option '--no-such-flag'. Try --help."],
]

describe('a start with a wrong value', () => {
  it.each(WRONG)('is refused in one line: %j %j', TIMEOUT, async (variables, args, line) => {
    const parent = await tempDir()
    const { code, stdout, stderr } = await runServerProcess({ DATA_DIR: join(parent, 'data'), ...variables }, args)
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: `holdfast: ${line}\n` })
    // Nothing was begun.
    expect(await readdir(parent)).toEqual([])
  })

  it('is refused on a host that others reach, unless AUTH says so', TIMEOUT, async () => {
    const { code, stderr } = await runServerProcess({ HOST: '0.0.0.0', PORT: '0', DATA_DIR: await tempDir() })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^holdfast: AUTH is not set and HOST is "0\.0\.0\.0": [^\n]+\n$/)
  })
})

describe('a start that the system refuses', () => {
  it('names the port that is taken', TIMEOUT, async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const directory = await tempDir()
    const { code, stdout, stderr } = await runServerProcess({ PORT: String(port), DATA_DIR: directory })
    const line = `PORT is ${port}: something else listens there on 127.0.0.1; stop it or choose another`
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: `holdfast: ${line}\n` })
    // The directory is free again.
    expect(await readdir(directory)).not.toContain('owner.json')
  })

  it('names the host that is not here', TIMEOUT, async () => {
    const variables = { HOST: '203.0.113.1', AUTH: 'none', PORT: '0', DATA_DIR: await tempDir() }
    const { code, stderr } = await runServerProcess(variables)
    expect(code).toBe(1)
    expect(stderr).toBe('holdfast: HOST is "203.0.113.1": this machine does not have that address\n')
  })

  it('names the directory that is none', TIMEOUT, async () => {
    const file = join(await tempDir(), 'file')
    await writeFile(file, 'not a directory')
    const { code, stderr } = await runServerProcess({ DATA_DIR: file, PORT: '0' })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^holdfast: DATA_DIR is "[^"]+file", and cannot be used: [^\n]+\n$/)
  })
})

describe('the command line', () => {
  it('prints help and version', TIMEOUT, async () => {
    const help = await runServerProcess({ PORT: 'abc' }, ['--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toMatch(/^holdfast: /)
    const version = await runServerProcess({}, ['--version'])
    expect(version).toMatchObject({ code: 0, stderr: '' })
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/)
  })
})
