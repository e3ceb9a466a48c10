import type { Uploads } from '../../../src/index.ts'
import type { Metrics } from './metrics.ts'

/** Counts what becomes of uploads. An end is counted by the node that recorded it. */
export function observeUploads({ events }: Pick<Uploads, 'events'>, metrics: Metrics): void {
  events.on('created', () => metrics.created.inc())
  events.on('completed', () => metrics.completed.inc())
  events.on('cancelled', () => metrics.cancelled.inc())
  events.on('expired', () => metrics.expired.inc())
  events.on('failed', ({ code }) => metrics.failed.inc({ code }))
}
