import { randomBytes } from 'node:crypto'
import { File } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { useServer } from '../protocol/tus/running-server.ts'
import { sha256 } from '../support/tus-client.ts'

const MIB = 1024 * 1024

interface Envelope {
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * A client as web pages have it: it cuts files at 5 MiB whatever the server says, sends `contentType` as the browser gives
 * it, looks at no status, asks for the progress after each chunk, and sends `complete` and `resume` without a body or type.
 */
class CarelessClient {
  readonly progress: Readonly<Record<string, unknown>>[] = []
  readonly #base: string

  constructor(base: string) {
    this.#base = `${base}/api/v1/uploads`
  }

  initiate(file: File, metadata: object = {}): Promise<Envelope> {
    const body = { fileName: file.name, fileSize: file.size, contentType: file.type, metadata }
    return this.#ask('/initiate', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  }

  async sendFrom(id: string, file: File, first: number): Promise<void> {
    for (let number = first; number * 5 * MIB < file.size; number += 1) {
      const headers = { 'X-Chunk-Number': String(number), 'Content-Type': 'application/octet-stream' }
      const body = file.slice(number * 5 * MIB, (number + 1) * 5 * MIB)
      await this.#ask(`/${id}/chunks`, { method: 'POST', headers, body })
      this.progress.push((await this.#ask(`/${id}/progress`, {})).data)
    }
  }

  resume(id: string): Promise<Envelope> {
    return this.#ask(`/${id}/resume`, { method: 'POST' })
  }

  complete(id: string): Promise<Envelope> {
    return this.#ask(`/${id}/complete`, { method: 'POST' })
  }

  async #ask(path: string, init: RequestInit): Promise<Envelope> {
    const response = await fetch(`${this.#base}${path}`, init)
    return (await response.json()) as Envelope
  }
}

describe('A careless JSON client of a server with its defaults', () => {
  const server = useServer({ CHUNK_SIZE: '5MiB' })
  const bytes = randomBytes(12 * MIB)

  it('uploads a file of an unknown type and sees it grow', async () => {
    const client = new CarelessClient(server.url)
    const file = new File([bytes], 'report.xyz')
    expect(file.type).toBe('')
    const { data: session } = await client.initiate(file, { userId: 'u1', nested: { a: [1, null] } })
    expect(session).toMatchObject({ fileName: 'report.xyz', fileSize: 12 * MIB, totalChunks: 3, status: 'initiated' })
    const id = String(session['id'])
    await client.sendFrom(id, file, 0)
    expect(client.progress.map(({ percentComplete }) => percentComplete)).toEqual([41.66, 83.33, 100])
    expect(client.progress.map(({ chunksUploaded }) => chunksUploaded)).toEqual([1, 2, 3])
    for (const { status } of client.progress) expect(status).toBe('uploading')
    const { data: done } = await client.complete(id)
    expect(done).toMatchObject({
      id: session['fileId'],
      name: 'report.xyz',
      size: 12 * MIB,
      contentType: 'application/octet-stream',
      status: 'uploaded',
      checksum: sha256(bytes),
    })
    expect(sha256((await server.fileOf(`/files/${id}`)) ?? Buffer.from('none'))).toBe(sha256(bytes))
  })

  it('goes on from where it stopped, in another page', async () => {
    const file = new File([bytes], 'ä ✓.bin', { type: 'application/x-thing' })
    const begun = new CarelessClient(server.url)
    const { data: session } = await begun.initiate(file)
    const id = String(session['id'])
    await begun.sendFrom(id, new File([bytes.subarray(0, 5 * MIB)], file.name), 0)
    const client = new CarelessClient(server.url)
    const { data: resumed } = await client.resume(id)
    expect(resumed).toMatchObject({ id, status: 'active', uploadedBytes: 5 * MIB, nextChunkNumber: 1 })
    await client.sendFrom(id, file, Number(resumed['nextChunkNumber']))
    const { data: done } = await client.complete(id)
    expect(done).toMatchObject({ name: 'ä ✓.bin', contentType: 'application/x-thing', checksum: sha256(bytes) })
  })

  it('starts over from the first chunk without harm', async () => {
    const client = new CarelessClient(server.url)
    const file = new File([bytes], 'again.bin')
    const { data: session } = await client.initiate(file)
    const id = String(session['id'])
    await client.sendFrom(id, file, 1)
    await client.sendFrom(id, file, 0)
    const { data: done } = await client.complete(id)
    expect(done).toMatchObject({ status: 'uploaded', checksum: sha256(bytes) })
    // It does not know that it has finished: it completes again, and is told the same.
    await expect(client.complete(id)).resolves.toMatchObject({ data: done })
  })

  it.each([
    ['of no bytes', 0],
    ['of one byte', 1],
    ['of exactly one chunk', 5 * MIB],
    ['of one byte more than a chunk', 5 * MIB + 1],
  ])('uploads a file %s', async (_, size) => {
    const client = new CarelessClient(server.url)
    const content = bytes.subarray(0, size)
    const file = new File([content], 'sized.bin')
    const { data: session } = await client.initiate(file)
    const id = String(session['id'])
    await client.sendFrom(id, file, 0)
    const { data: done } = await client.complete(id)
    expect(done).toMatchObject({ status: 'uploaded', size, checksum: sha256(content) })
    expect(sha256((await server.fileOf(`/files/${id}`)) ?? Buffer.from('none'))).toBe(sha256(content))
  })
})
