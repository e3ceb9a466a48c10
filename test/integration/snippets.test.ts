import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Upload } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import {
  compileSnippets,
  freePort,
  installSnippets,
  readProjectFile,
  readSnippets,
  runShell,
  runSnippet,
  type RunningSnippet,
} from '../support/snippets.ts'
import { makeTempDir, tempDir } from '../support/temp-dir.ts'

const documents = ['README.md', 'test/integration/snippets/contract.md']
const texts = await Promise.all(documents.map(readProjectFile))

describe.each(documents.map((name, index) => ({ name, text: texts[index] ?? '' })))('$name', ({ text }) => {
  const snippets = readSnippets(text, ['js', 'ts'])
  let directory: string

  beforeAll(async () => {
    directory = await makeTempDir()
    await installSnippets(directory, snippets)
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('has code that compiles', async () => {
    expect(snippets.length).toBeGreaterThan(0)
    await expect(compileSnippets(directory)).resolves.toBe('')
  })

  const runnable = snippets.filter(({ checkOnly }) => !checkOnly)
  const servers = runnable.filter(({ code }) => code.includes('listen('))
  const clients = runnable.filter(({ code }) => !code.includes('listen('))

  it.each(servers)('serves uploads by the code of line $line', async (snippet) => {
    await rm(join(directory, 'data'), { recursive: true, force: true })
    const port = await freePort()
    const running = await runSnippet(directory, snippet, port)
    await listening(port, running)

    await uploadHello(`http://127.0.0.1:${port}/files`)
    await expect(finishedFiles(join(directory, 'data'))).resolves.toEqual(['hello'])
    running.child.kill('SIGTERM')
    await expect(running.ended()).resolves.toBe(snippet.code.includes('SIGTERM') ? 0 : null)
    const inserted = snippet.code.includes('db.files.insert') ? 'inserted hello.txt of ann\n' : ''
    expect(running.output()).toContain(inserted)
  })

  it.each(clients)('uploads by the code of line $line', async (snippet) => {
    const server = await serve()
    const running = await runSnippet(directory, snippet, server.port)
    expect(await running.ended(), running.output()).toBe(0)
    await expect(finishedFiles(server.directory)).resolves.toEqual(['hello'])
  })

  it.each(readSnippets(text, ['sh']).filter(({ code }) => code.includes('curl')))(
    'uploads by the commands of line $line',
    async (snippet) => {
      const server = await serve()
      const cwd = await tempDir()
      const bytes = randomBytes(11 * 1024 * 1024 + 1)
      await writeFile(join(cwd, 'big.iso'), bytes)
      const running = runShell(cwd, snippet, server.port)
      expect(await running.ended(), running.output()).toBe(0)
      expect(running.output()).toContain(`"checksum":"${createHash('sha256').update(bytes).digest('hex')}"`)
    },
  )
})

/** A server for the code of clients. */
async function serve(): Promise<{ readonly port: number; readonly directory: string }> {
  const directory = await tempDir()
  const uploads = createUploads({ storage: new FileStorage({ directory }) })
  await uploads.open()
  const server = createServer(holdfast({ uploads })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await uploads.close()
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, directory }
}

/** Resolves when somebody listens. */
async function listening(port: number, running: RunningSnippet): Promise<void> {
  for (;;) {
    if (running.child.exitCode !== null) throw new Error(`it ended before it listened:\n${running.output()}`)
    const socket = connect(port, '127.0.0.1')
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (connected) return
    await delay(20)
  }
}

function uploadHello(endpoint: string): Promise<void> {
  return new Promise((resolve, reject) => {
    new Upload(Buffer.from('hello'), {
      endpoint,
      headers: { Authorization: 'Bearer ann' },
      metadata: { filename: 'hello.txt' },
      retryDelays: [],
      onSuccess: () => resolve(),
      onError: reject,
    }).start()
  })
}

/** Contents of the finished files. */
async function finishedFiles(directory: string): Promise<string[]> {
  const folder = join(directory, 'files')
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f-]{36}$/.test(name))
  return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
}
