import { OFFSET_OCTET_STREAM, type TusAnswer, type TusClient, type TusHeaders } from './tus-client.ts'

/** Creates a partial upload that is whole at once; its path. */
export async function createPart(client: TusClient, bytes: Uint8Array, headers: TusHeaders = {}): Promise<string> {
  const answer = await client.request('POST', '/files', {
    headers: {
      'Upload-Concat': 'partial',
      'Upload-Length': bytes.length,
      'Content-Type': OFFSET_OCTET_STREAM,
      ...headers,
    },
    body: bytes,
  })
  if (answer.status !== 201) throw new Error(`POST answered ${answer.status}: ${answer.body.toString()}`)
  return client.locationOf(answer)
}

/** Asks for a file of these partial uploads. */
export function concatenate(client: TusClient, parts: readonly string[], headers: TusHeaders = {}): Promise<TusAnswer> {
  return client.request('POST', '/files', { headers: { 'Upload-Concat': `final;${parts.join(' ')}`, ...headers } })
}
