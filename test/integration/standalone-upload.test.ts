import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CHUNK, useServer } from '../protocol/tus/running-server.ts'
import { JsonClient, sha256 } from '../support/json-client.ts'
import { SlowProxy } from '../support/slow-proxy.ts'
import { tempDir } from '../support/temp-dir.ts'

const MAIN = fileURLToPath(new URL('../../dist/adapters/standalone/start.cjs', import.meta.url))
const CHUNKS = 40

interface Run {
  readonly child: ChildProcess
  readonly stdout: Promise<string>
  readonly stderr: Promise<string>
  /** Its exit code; null where a signal ended it. */
  readonly code: Promise<number | null>
}

/** Runs the command in a folder, in which it remembers, too. */
function run(cwd: string, args: readonly string[], variables: Readonly<Record<string, string>> = {}): Run {
  const { PATH = '' } = process.env
  const env = { PATH, XDG_STATE_HOME: join(cwd, 'state'), ...variables }
  const child = spawn(process.execPath, [MAIN, 'upload', ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const closed = once(child, 'close')
  return {
    child,
    stdout: text(child.stdout),
    stderr: text(child.stderr),
    code: closed.then(() => child.exitCode),
  }
}

describe('holdfast upload', () => {
  const server = useServer()
  /** How many chunks the server has taken, as its log says. */
  const taken = (): number => chunksLogged(server.output())

  it('goes on when it is run again, after a kill and after Ctrl-C, with nothing but what is missing', async () => {
    const cwd = await tempDir()
    const bytes = randomBytes(CHUNKS * CHUNK)
    await writeFile(join(cwd, 'my film.mp4'), bytes)
    const proxy = await SlowProxy.start(server.url, 2 * 1024 * 1024)
    onTestFinished(() => proxy.stop())
    const json = new JsonClient(server.url)
    onTestFinished(() => json.close())
    const args = ['my film.mp4', '--to', proxy.url]

    const killed = run(cwd, args)
    await expect.poll(taken, { timeout: 30_000 }).toBeGreaterThanOrEqual(8)
    killed.child.kill('SIGKILL')
    expect(await killed.code).toBeNull()
    const id = await uploadIn(join(cwd, 'state'))

    const stopped = run(cwd, args)
    await expect.poll(taken, { timeout: 30_000 }).toBeGreaterThanOrEqual(16)
    stopped.child.kill('SIGINT')
    expect(await stopped.code).toBe(130)
    expect(await stopped.stdout).toBe('')
    expect(await stopped.stderr).toMatch(/^my film\.mp4: going on, \d+ % is there\n/)
    expect(await stopped.stderr).toContain(`to go on: holdfast upload 'my film.mp4' --to ${proxy.url}/\n`)
    expect(await uploadIn(join(cwd, 'state'))).toBe(id)

    const before = taken()
    const { chunksUploaded } = await json.progressed(id)
    expect(chunksUploaded).toBeGreaterThanOrEqual(16)
    const last = run(cwd, args)
    expect(await last.code, await last.stderr).toBe(0)
    const [file = ''] = (await readdir(join(server.dataDir, 'files'))).filter((name) => !name.endsWith('.json'))
    expect(sha256(await readFile(join(server.dataDir, 'files', file)))).toBe(sha256(bytes))
    expect(await last.stdout).toBe(
      [
        'my film.mp4: 2.5 MiB',
        `  SHA-256  ${sha256(bytes)}`,
        `  file     ${file}`,
        `  address  ${proxy.url}/api/v1/files/${file}/content`,
        '',
      ].join('\n'),
    )
    // Fewer where the server had one more whole when the command was stopped.
    expect(taken() - before).toBeLessThanOrEqual(CHUNKS - chunksUploaded)
    expect(taken() - before).toBeGreaterThanOrEqual(CHUNKS - chunksUploaded - 3)
    expect(await readdir(join(cwd, 'state/holdfast/uploads'))).toEqual([])
  })

  it('uploads several files, and says which it could not', async () => {
    const cwd = await tempDir()
    await writeFile(join(cwd, 'one'), 'one')
    await writeFile(join(cwd, 'two'), '')
    const all = run(cwd, ['one', 'none', '.', 'two', '--to', server.url, '--json', '--type', 'text/plain'])
    expect(await all.code).toBe(1)
    const lines = (await all.stdout).trim().split('\n')
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      { path: 'one', name: 'one', size: 3, contentType: 'text/plain', status: 'uploaded', checksum: sha256('one') },
      { path: 'two', name: 'two', size: 0, checksum: sha256('') },
    ])
    expect(await all.stderr).toBe('holdfast: none: no such file or directory\nholdfast: .: it is no file\n')
  })

  it('refuses a command that cannot be followed', async () => {
    const refused = run(await tempDir(), ['one'])
    expect(await refused.code).toBe(2)
    expect(await refused.stderr).toMatch(/^holdfast: upload wants --to URL[^\n]+\n$/)
    const help = run(await tempDir(), ['--help'])
    expect(await help.code).toBe(0)
    expect(await help.stdout).toContain('--to URL')
  })
})

describe('holdfast upload, to a server with logins', () => {
  const server = useServer({ AUTH: 'api-key', API_KEYS: `ann:${'k'.repeat(32)}` })

  it('takes the token of the environment, and stops where it is not taken', async () => {
    const cwd = await tempDir()
    await writeFile(join(cwd, 'one'), 'one')
    const refused = run(cwd, ['one', 'one', '--to', server.url], { HOLDFAST_TOKEN: 'wrong' })
    expect(await refused.code).toBe(1)
    expect(await refused.stderr).toMatch(/^holdfast: one: [^\n]+\(UNAUTHENTICATED\)\nStopped\. [^\n]+\n$/)
    const taken = run(cwd, ['one', '--to', server.url], { HOLDFAST_TOKEN: 'k'.repeat(32) })
    expect(await taken.code).toBe(0)
    expect(await taken.stdout).toContain(sha256('one'))
  })
})

function chunksLogged(output: string): number {
  return output.split('\n').filter((line) => line.includes('/chunks"') && line.includes('"status":200')).length
}

/** The id of the one upload that is remembered. */
async function uploadIn(state: string): Promise<string> {
  const folder = join(state, 'holdfast/uploads')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'))
  expect(names).toHaveLength(1)
  const { value } = JSON.parse(await readFile(join(folder, names[0] ?? ''), 'utf8')) as { readonly value: string }
  return (JSON.parse(value) as { readonly id: string }).id
}
