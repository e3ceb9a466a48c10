import { readdirSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { Wire } from '../support/http-wire.ts'
import { startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'

/** Threads of a server that has made a file. */
async function threadsOf(variables: Readonly<Record<string, string>>): Promise<number> {
  const server = await startServerProcess(await tempDir(), variables)
  onTestFinished(async () => void (await server.kill()))
  const wire = new Wire(server.url)
  onTestFinished(() => wire.close())
  const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '0' }
  expect((await wire.send('POST', '/files', { headers })).status).toBe(201)
  return readdirSync(`/proc/${server.pid}/task`).length
}

it.runIf(process.platform === 'linux')(
  'the server has 16 threads for files, or as many as it is told',
  { timeout: 30_000 },
  async () => {
    const [own, told] = await Promise.all([threadsOf({}), threadsOf({ UV_THREADPOOL_SIZE: '4' })])
    expect(own - told).toBe(12)
  },
)
