import { describeJsonApi, type OpenApiDocument } from '../src/json/index.ts'
import type { FaceOptions } from './faces.ts'
import { filesBeside } from './paths.ts'

/** Where the API is mounted: the very options of the plugin or handler may be passed. And how one authenticates there. */
export interface OpenApiOptions extends Pick<FaceOptions, 'tusPath' | 'apiPrefix' | 'filesPrefix' | 'publicUrl'> {
  /** The application's ways to authenticate, as OpenAPI security schemes by their names; any one will do. @default none */
  readonly securitySchemes?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/**
 * The OpenAPI 3.1 document of the JSON API. It is a new one each time: serve it, or add it to your own. Where a Fastify
 * scope with a prefix registers the plugin, that prefix is to stand in `publicUrl`.
 *
 * @example
 * app.get('/openapi.json', () => openApiDocument({ publicUrl: 'https://upload.example.com' }))
 */
export function openApiDocument(options: OpenApiOptions = {}): OpenApiDocument {
  const { tusPath = '/files', apiPrefix = '/api/v1/uploads', publicUrl, securitySchemes } = options
  const { filesPrefix = apiPrefix === false ? false : filesBeside(apiPrefix, tusPath) } = options
  return describeJsonApi({
    ...(apiPrefix === false ? {} : { apiPrefix }),
    ...(filesPrefix === false ? {} : { filesPrefix }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(securitySchemes === undefined ? {} : { securitySchemes }),
  })
}
