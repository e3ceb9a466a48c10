import { downloadReply } from '../downloads/download-reply.ts'
import type { FaceReply, FaceRequest } from '../http.ts'
import type { Uploads } from '../uploads.ts'
import type { JsonApi, JsonRoute } from './json-api.ts'
import { matchOperation } from './match.ts'
import type { OperationCall } from './operation.ts'
import { failureReply, successReply } from './reply.ts'
import { fileView } from './views.ts'

/** What the files beside the JSON API are made of. */
export interface FilesApiOptions {
  readonly uploads: Uploads
}

interface FileOperation extends JsonRoute {
  readonly run: (uploads: Uploads, call: OperationCall) => Promise<FaceReply>
}

/** The operations on finished files; here `:id` stands for the id of a file. */
const FILE_OPERATIONS: readonly FileOperation[] = [
  { method: 'GET', pattern: '/:id', run: readRecord },
  { method: 'DELETE', pattern: '/:id', run: remove },
  { method: 'GET', pattern: '/:id/content', run: (uploads, call) => content(uploads, call, 'GET') },
  { method: 'HEAD', pattern: '/:id/content', run: (uploads, call) => content(uploads, call, 'HEAD') },
]

/** Makes the part of the JSON face that serves finished files, under a prefix of its own. */
export function createFilesApi({ uploads }: FilesApiOptions): JsonApi {
  async function answer({ raw, path, caller }: FaceRequest): Promise<FaceReply> {
    const { operation, id } = matchOperation(FILE_OPERATIONS, raw.method ?? 'GET', path, 'FILE_NOT_FOUND')
    return operation.run(uploads, { raw, id, caller })
  }

  return {
    routes: FILE_OPERATIONS.map(({ method, pattern }) => ({ method, pattern })),
    async handle(request) {
      try {
        return await answer(request)
      } catch (error) {
        return failureReply(error, request.requestId)
      }
    },
  }
}

async function readRecord(uploads: Uploads, { id, caller }: OperationCall): Promise<FaceReply> {
  return successReply(200, { data: fileView(await uploads.file(id, caller), uploads.computesChecksums) })
}

async function remove(uploads: Uploads, { id, caller }: OperationCall): Promise<FaceReply> {
  await uploads.removeFile(id, caller)
  return successReply(200, { message: 'File deleted successfully' })
}

async function content(
  uploads: Uploads,
  { raw, id, caller }: OperationCall,
  method: 'GET' | 'HEAD',
): Promise<FaceReply> {
  const download = await uploads.downloadFile(id, caller)
  // A HEAD is answered from the record: an address may be signed for a GET alone.
  const url = method === 'GET' ? await download.url() : null
  if (url !== null) return { status: 302, headers: { Location: url, 'Cache-Control': 'no-store' }, body: null }
  return downloadReply(download, { method, headers: raw.headers })
}
