import { CreateBody } from '../../create-body.ts'
import { Failure } from '../failure-schema.ts'
import { Cancelled, Chunk, Completed, Created, Deleted, File, Progress, Resumed, UploadList } from '../schemas.ts'
import { FILE_DOCS } from './file-docs.ts'
import { FILE_ID, UPLOAD_ID } from './parameters.ts'
import { COMMON_ERRORS, failuresWith } from './responses.ts'
import type { MethodName, OpenApiDocument, OperationDoc, OperationObject, PathObject, SchemaObject } from './types.ts'
import { UPLOAD_DOCS } from './upload-docs.ts'

/** Where the API that is described is mounted, and how one authenticates there. */
export interface DescribeOptions {
  /** Path of the JSON API. Absent: there is none. */
  readonly apiPrefix?: string
  /** Path of the finished files. Absent: they are not served. */
  readonly filesPrefix?: string
  /** Address under which clients reach the server. @default the document's own host */
  readonly publicUrl?: string
  /** Ways to authenticate, as OpenAPI security schemes by their names. @default none */
  readonly securitySchemes?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const SCHEMAS = {
  CreateBody,
  Created,
  Chunk,
  Progress,
  UploadList,
  Resumed,
  Completed,
  Cancelled,
  File,
  Deleted,
  Failure,
}

type SecuritySchemes = NonNullable<DescribeOptions['securitySchemes']>

/** How one goes on with an upload without a login. */
const TOKEN_SCHEMES: SecuritySchemes = {
  uploadToken: {
    type: 'http',
    scheme: 'bearer',
    description: 'The `uploadToken` that initiate has answered: good for that upload alone, until it ends.',
  },
  uploadTokenInQuery: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description: 'The same, for who cannot send headers.',
  },
}

/** The version of the API, which is not that of the package: it grows with what is added, and nothing is taken away. */
const API_VERSION = '1.0.0'

const DESCRIPTION = `Uploads in chunks that can be interrupted anywhere, by anything, and taken up again. A chunk that was answered with 200 is durable: it is never lost, never wrong, and never has to be sent twice.

Begin with \`initiate\`, send every chunk (in any order, several at once), then \`complete\`. After an interruption ask \`resume\` which chunks are missing, and send those.

Every failure has one form. Match on its \`code\`, never on its message; where an answer carries \`Retry-After\` the same request may be sent again. \`NOT_FOUND\` and \`METHOD_NOT_ALLOWED\` (with \`Allow\`) are answered to what is not described here.`

/** The OpenAPI 3.1 document of the JSON API, a new one each time. */
export function describeJsonApi({
  apiPrefix,
  filesPrefix,
  publicUrl,
  securitySchemes,
}: DescribeOptions): OpenApiDocument {
  const document: OpenApiDocument = {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast: resumable uploads',
      version: API_VERSION,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: publicUrl ?? '/' }],
    tags: [
      { name: 'uploads', description: 'Unfinished uploads' },
      { name: 'files', description: 'Finished files' },
    ],
    paths: {
      ...(apiPrefix === undefined ? {} : pathsOf('uploads', apiPrefix, UPLOAD_DOCS, securitySchemes)),
      ...(filesPrefix === undefined ? {} : pathsOf('files', filesPrefix, FILE_DOCS)),
    },
    components: {
      // Its own types say of a TypeBox schema less than what stands in it.
      schemas: SCHEMAS as Readonly<Record<string, SchemaObject>>,
      ...(securitySchemes === undefined ? {} : { securitySchemes: { ...securitySchemes, ...TOKEN_SCHEMES } }),
    },
    ...(securitySchemes === undefined ? {} : { security: anyOf(securitySchemes) }),
  }
  // Leaves the schemas that check requests to themselves, whatever is done to the document.
  return structuredClone(document)
}

function anyOf(schemes: SecuritySchemes): NonNullable<OperationObject['security']> {
  return Object.keys(schemes).map((name) => ({ [name]: [] }))
}

function pathsOf(
  tag: 'uploads' | 'files',
  prefix: string,
  docs: Readonly<Record<string, OperationDoc>>,
  securitySchemes?: SecuritySchemes,
): Record<string, PathObject> {
  const id = tag === 'uploads' ? UPLOAD_ID : FILE_ID
  const paths: Record<string, PathObject> = {}
  for (const [route, doc] of Object.entries(docs)) {
    const [method = '', pattern = ''] = route.split(' ')
    const path = prefix + (pattern === '/' ? '' : pattern.replace(':id', `{${id.name}}`))
    const isOnOne = pattern.includes(':id')
    const parameters = [...(isOnOne ? [id] : []), ...(doc.parameters ?? [])]
    const security =
      isOnOne && securitySchemes !== undefined ? { security: anyOf({ ...securitySchemes, ...TOKEN_SCHEMES }) } : {}
    const operation = { ...operationOf(tag, { ...doc, parameters }), ...security }
    paths[path] = { ...paths[path], [method.toLowerCase() as MethodName]: operation }
  }
  return paths
}

function operationOf(tag: string, doc: OperationDoc): OperationObject {
  const { operationId, summary, description, parameters = [], requestBody, success, errors } = doc
  return {
    operationId,
    tags: [tag],
    summary,
    description,
    parameters,
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: { ...success, ...failuresWith([...errors, ...COMMON_ERRORS]) },
  }
}
