import { withToken, type FaceReply, type FaceRequest } from '../http.ts'
import type { Uploads } from '../uploads.ts'
import { matchOperation } from './match.ts'
import type { OperationContext } from './operation.ts'
import { failureReply } from './reply.ts'
import { OPERATIONS } from './routes.ts'

/** What the JSON face is made of. */
export interface JsonApiOptions {
  readonly uploads: Uploads
  /** Where it is mounted, with the leading slash: stands in `Location`. */
  readonly prefix: string
  /** Where the tus face is mounted, with the leading slash: stands in `tusUrl`. */
  readonly tusPath: string
  /** Scheme and host, and a path where a proxy adds one, for absolute addresses. @default relative ones */
  readonly publicUrl?: string
  /** Whether `tusUrl` carries the upload's token. @default false */
  readonly tokenInLocation?: boolean
  /** How long a JSON body may take to arrive, ms. @default 60 s */
  readonly bodyTimeoutMs?: number
}

/** A route an adapter can register: its path is the prefix and the pattern. */
export interface JsonRoute {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE'
  /** `/` is the prefix itself; `:id` stands for the id of an upload, or of a file. */
  readonly pattern: string
}

/** The JSON face, or a part of it. */
export interface JsonApi {
  /** What there is, for adapters that register routes. All else under the prefix goes to `handle` as well. */
  readonly routes: readonly JsonRoute[]
  /** Answers one request, whatever its path and method. Never throws. */
  handle(request: FaceRequest): Promise<FaceReply>
}

/** Makes the JSON face over the core. It knows no HTTP framework. */
export function createJsonApi(options: JsonApiOptions): JsonApi {
  const { uploads, prefix, tusPath, tokenInLocation = false, bodyTimeoutMs = 60_000 } = options
  const contextOf = (publicUrl: string): OperationContext => ({
    uploads,
    location: (id) => `${publicUrl}${prefix}/${id}`,
    tusUrl: ({ manifest, uploadToken }) =>
      withToken(`${publicUrl}${tusPath}/${manifest.id}`, tokenInLocation ? uploadToken : null),
    reading: { timeoutMs: bodyTimeoutMs, draining: () => uploads.draining },
  })

  async function answer({ raw, path, caller, publicUrl }: FaceRequest): Promise<FaceReply> {
    const { operation, id } = matchOperation(OPERATIONS, raw.method ?? 'GET', path)
    return operation.run(contextOf(options.publicUrl ?? publicUrl ?? ''), { raw, id, caller })
  }

  return {
    routes: OPERATIONS.map(({ method, pattern }) => ({ method, pattern })),
    async handle(request) {
      try {
        return await answer(request)
      } catch (error) {
        return failureReply(error, request.requestId)
      }
    },
  }
}
