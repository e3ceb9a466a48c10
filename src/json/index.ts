/**
 * The JSON chunk API over the core, free of any framework.
 * @module
 */
export { createFilesApi } from './files-api.ts'
export { createJsonApi, type JsonApi, type JsonRoute } from './json-api.ts'
export { describeJsonApi } from './openapi/document.ts'
export type { OpenApiDocument, OperationObject, ResponseObject, SchemaObject } from './openapi/types.ts'
export { failureReply } from './reply.ts'
export type { FaceReply } from '../http.ts'
