import { createHash } from 'node:crypto'
import { block, type Connection } from './connection.ts'

const TUS = { 'Tus-Resumable': '1.0.0' }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const API = '/api/v1/uploads'

/** Creates a tus upload, with all of its bytes where `whole`; its path. */
export async function createTus(connection: Connection, size: number, whole = false): Promise<string> {
  const type = whole ? { 'Content-Type': 'application/offset+octet-stream' } : {}
  const headers = { ...TUS, ...type, 'Upload-Length': String(size) }
  const answer = await connection.request('POST', '/files/', headers, whole ? size : 0)
  const location = /location: (\S+)/i.exec(answer)?.[1] ?? ''
  return new URL(location, 'http://localhost').pathname
}

export function patchHeaders(offset: number): Readonly<Record<string, string>> {
  return { ...TUS, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) }
}

export async function patchTus(connection: Connection, path: string, offset: number, bytes: number): Promise<void> {
  await connection.request('PATCH', path, patchHeaders(offset), bytes)
}

/** Where an upload stands, or null where its server cannot tell now. */
export async function offsetOf(connection: Connection, path: string): Promise<number | null> {
  const { status, text } = await connection.ask('HEAD', path, TUS)
  return status === 200 || status === 204 ? Number(/upload-offset: (\d+)/i.exec(text)?.[1]) : null
}

/** Begins an upload of the JSON API; its id. */
export async function initiate(connection: Connection, fileSize: number, chunkSize?: number): Promise<string> {
  const body = JSON.stringify({ fileName: 'bench.bin', fileSize, ...(chunkSize === undefined ? {} : { chunkSize }) })
  const answer = await connection.request('POST', `${API}/initiate`, JSON_TYPE, body)
  return /"id":"([^"]+)"/.exec(answer)?.[1] ?? ''
}

const digests = new Map<number, string>()

/** Sends a chunk with its SHA-256, as a client does that cares for it. */
export async function putChunk(connection: Connection, id: string, number: number, bytes: number): Promise<void> {
  const digest = digests.get(bytes) ?? createHash('sha256').update(block(bytes)).digest('hex')
  digests.set(bytes, digest)
  const type = { 'Content-Type': 'application/octet-stream' }
  const headers = { 'X-Chunk-Number': String(number), 'X-Chunk-Checksum': digest, ...type }
  await connection.request('POST', `${API}/${id}/chunks`, headers, bytes)
}

/** Completes an upload; `wait=0` does not wait for the checksum of the whole file. */
export async function complete(connection: Connection, id: string, prefer?: 'wait=0'): Promise<void> {
  await connection.request('POST', `${API}/${id}/complete`, prefer === undefined ? {} : { Prefer: prefer })
}

export async function progress(connection: Connection, id: string): Promise<void> {
  await connection.request('GET', `${API}/${id}/progress`, {})
}
