import { describe, expect, it } from 'vitest'
import {
  chunkOf,
  type ChunkAnswer,
  type FileAnswer,
  type Initiated,
  sha256,
  someFile,
} from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()
const MIB = 1024 * 1024

/** Posts as a browser's client does that reads `data` and looks at nothing else. */
async function post(path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(`${server.url}/api/v1/uploads/${path}`, { method: 'POST', ...init })
  const { data } = (await response.json()) as { data: unknown }
  return data
}

describe('a client on fetch', () => {
  it('that sends 5 MiB chunks whatever it is told, and no content type it does not know, has its file stored', async () => {
    const file = someFile(12 * MIB + 345)
    const blob = new Blob([file])
    const begun = (await post('initiate', {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ fileName: 'data.unknown', fileSize: blob.size, contentType: blob.type, metadata: {} }),
    })) as Initiated

    for (let n = 0; n * 5 * MIB < blob.size; n += 1) {
      const chunk = (await post(`${begun.id}/chunks`, {
        headers: { 'X-Chunk-Number': String(n), 'Content-Type': 'application/octet-stream' },
        body: blob.slice(n * 5 * MIB, (n + 1) * 5 * MIB),
      })) as ChunkAnswer
      expect(chunk).toMatchObject({ chunkNumber: n, checksum: sha256(chunkOf(file, 5 * MIB, n)) })
      const progress = await (await fetch(`${server.url}/api/v1/uploads/${begun.id}/progress`)).json()
      expect(progress).toMatchObject({ success: true, data: { chunksUploaded: n + 1 } })
    }

    const finished = (await post(`${begun.id}/complete`)) as FileAnswer
    expect(finished).toMatchObject({
      id: begun.fileId,
      size: file.length,
      contentType: 'application/octet-stream',
      checksum: sha256(file),
    })
    expect(sha256(await server.storedFile(begun.fileId))).toBe(sha256(file))
  })

  it('that sets a JSON content type on every call has all of them answered', async () => {
    const headers = { 'Content-Type': 'application/json' }
    const body = JSON.stringify({ fileName: 'a', fileSize: 0 })
    const { id } = (await post('initiate', { headers, body })) as Initiated

    expect(await post(`${id}/resume`, { headers })).toMatchObject({ id, status: 'active' })
    expect(await post(`${id}/complete`, { headers })).toMatchObject({ status: 'uploaded' })
    const second = (await post('initiate', { headers, body })) as Initiated
    const response = await fetch(`${server.url}/api/v1/uploads/${second.id}`, { method: 'DELETE', headers })
    expect(await response.json()).toEqual({ success: true, message: 'Upload cancelled successfully' })
  })

  it('that streams a chunk of unknown length has it stored', async () => {
    const bytes = someFile(300_000)
    const { id } = await server.client.begin({ fileSize: bytes.length })

    const chunk = await post(`${id}/chunks`, {
      headers: { 'X-Chunk-Number': '0', 'Content-Type': 'application/octet-stream' },
      body: new Blob([bytes]).stream(),
      duplex: 'half',
    })

    expect(chunk).toMatchObject({ size: bytes.length, checksum: sha256(bytes) })
  })

  it('in a page of another origin may use every method and read what it needs', async () => {
    const response = await fetch(`${server.url}/api/v1/uploads/initiate`, {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://app.example',
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type,x-chunk-number',
      },
    })

    expect(response.ok).toBe(true)
    expect(response.headers.get('access-control-allow-origin')).toMatch(/^(\*|https:\/\/app\.example)$/)
    expect(response.headers.get('access-control-allow-methods')).toMatch(/POST/)
    expect(response.headers.get('access-control-allow-headers')?.toLowerCase()).toMatch(/x-chunk-number|\*/)
    const refused = await fetch(`${server.url}/api/v1/uploads/nobody/progress`, {
      headers: { Origin: 'https://app.example' },
    })
    expect(refused.status).toBe(404)
    expect(refused.headers.get('access-control-allow-origin')).toMatch(/^(\*|https:\/\/app\.example)$/)
  })
})
