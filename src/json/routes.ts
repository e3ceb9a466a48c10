import type { Operation } from './operation.ts'
import { cancel } from './operations/cancel.ts'
import { complete } from './operations/complete.ts'
import { events } from './operations/events.ts'
import { initiate } from './operations/initiate.ts'
import { list } from './operations/list.ts'
import { progress } from './operations/progress.ts'
import { putChunk } from './operations/put-chunk.ts'
import { resume } from './operations/resume.ts'

/** The operations of the JSON API. A pattern without `:id` stands before one with it that would match the same path. */
export const OPERATIONS: readonly Operation[] = [
  { method: 'GET', pattern: '/', run: list },
  { method: 'POST', pattern: '/initiate', run: initiate },
  { method: 'GET', pattern: '/:id', run: progress },
  { method: 'DELETE', pattern: '/:id', run: cancel },
  { method: 'GET', pattern: '/:id/progress', run: progress },
  { method: 'GET', pattern: '/:id/events', run: events },
  { method: 'POST', pattern: '/:id/chunks', run: putChunk },
  { method: 'POST', pattern: '/:id/complete', run: complete },
  { method: 'POST', pattern: '/:id/resume', run: resume },
]
