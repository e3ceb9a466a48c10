import { createHash, randomBytes } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { Wire } from '../support/http-wire.ts'
import { startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'

const CHUNK = 5 * 1024 * 1024
const CHUNKS = 128
const CONNECTIONS = 16
const API = '/api/v1/uploads'

/** How often V8 has looked through all of the heap. */
async function majorCollections(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(/^nodejs_gc_duration_seconds_count\{kind="major"\} (\d+)$/m.exec(metrics)?.[1] ?? 0)
}

it('the server looks through all of its heap less than once for every 80 MiB that it receives', {
  timeout: 60_000,
}, async () => {
  const server = await startServerProcess(await tempDir(), { FSYNC: 'off' })
  onTestFinished(async () => void (await server.kill()))
  const wires = Array.from({ length: CONNECTIONS }, () => new Wire(server.url))
  onTestFinished(() => wires.forEach((wire) => wire.close()))
  const chunk = randomBytes(CHUNK)
  const checksum = createHash('sha256').update(chunk).digest('hex')
  const initiated = await fetch(`${server.url}${API}/initiate`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ fileName: 'a', fileSize: CHUNKS * CHUNK, chunkSize: CHUNK }),
  })
  const { data } = (await initiated.json()) as { readonly data: { readonly id: string } }

  const before = await majorCollections(server.url)
  const numbers = Array.from({ length: CHUNKS }, (_, number) => number)
  await Promise.all(
    wires.map(async (wire) => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        const headers = {
          'Content-Type': 'application/octet-stream',
          'X-Chunk-Number': String(number),
          'X-Chunk-Checksum': checksum,
        }
        expect((await wire.send('POST', `${API}/${data.id}/chunks`, { headers, body: chunk })).status).toBe(200)
      }
    }),
  )
  expect(await majorCollections(server.url)).toBeLessThan(before + (CHUNKS * CHUNK) / (80 * 1024 ** 2))
})
