/** One request, as it is meant. */
export interface Call {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** The ids of an upload and of its file. */
export interface Ids {
  readonly id: string
  readonly fileId: string
}

/** Where the faces are. */
export const MOUNTS = { tus: '/files', api: '/api/v1/uploads', files: '/api/v1/files' } as const

/** The bytes that calls bring. */
const FIVE_BYTES = 'hello'

const TUS = { 'Tus-Resumable': '1.0.0' }
const CHUNK = { 'X-Chunk-Number': '0', 'Content-Type': 'application/octet-stream' }
const PATCH = { ...TUS, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }

/** Every method of both faces, and of the finished files, on what has these ids. All would do for its owner. */
export function callsOn({ id, fileId }: Ids): readonly Call[] {
  const { tus, api, files } = MOUNTS
  return [
    { method: 'GET', path: `${api}/${id}`, headers: {} },
    { method: 'GET', path: `${api}/${id}/progress`, headers: {} },
    { method: 'POST', path: `${api}/${id}/chunks`, headers: CHUNK, body: FIVE_BYTES },
    { method: 'POST', path: `${api}/${id}/complete`, headers: {} },
    { method: 'POST', path: `${api}/${id}/resume`, headers: {} },
    { method: 'DELETE', path: `${api}/${id}`, headers: {} },
    { method: 'HEAD', path: `${tus}/${id}`, headers: TUS },
    { method: 'PATCH', path: `${tus}/${id}`, headers: PATCH, body: FIVE_BYTES },
    {
      method: 'POST',
      path: `${tus}/${id}`,
      headers: { ...PATCH, 'X-HTTP-Method-Override': 'PATCH' },
      body: FIVE_BYTES,
    },
    { method: 'DELETE', path: `${tus}/${id}`, headers: TUS },
    { method: 'GET', path: `${tus}/${id}`, headers: {} },
    { method: 'GET', path: `${files}/${fileId}`, headers: {} },
    { method: 'GET', path: `${files}/${fileId}/content`, headers: {} },
    { method: 'HEAD', path: `${files}/${fileId}/content`, headers: {} },
    { method: 'DELETE', path: `${files}/${fileId}`, headers: {} },
  ]
}

/** What makes an upload. */
export const CREATIONS: readonly Call[] = [
  {
    method: 'POST',
    path: `${MOUNTS.api}/initiate`,
    headers: { 'Content-Type': 'application/json' },
    body: '{"fileName":"a","fileSize":1}',
  },
  { method: 'POST', path: MOUNTS.tus, headers: { ...TUS, 'Upload-Length': '1' } },
]

/** How a failed expectation names a call. */
export function nameOf({ method, path }: Call): string {
  return `${method} ${path}`
}
