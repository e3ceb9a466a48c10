/**
 * The JSON chunk API over the core, free of any framework.
 * @module
 */
export { createJsonApi, type JsonApi, type JsonRoute } from './json-api.ts'
export { failureReply } from './reply.ts'
export type { FaceReply } from '../http.ts'
