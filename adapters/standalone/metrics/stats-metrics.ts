import { Counter, Gauge } from 'prom-client'
import type { Uploads, UploadsStats } from '../../../src/index.ts'
import type { Metrics } from './metrics.ts'

interface Reading {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** Registers what is read off the core when somebody asks for the metrics. */
export function registerStats({ registry }: Pick<Metrics, 'registry'>, uploads: Pick<Uploads, 'stats'>): void {
  const register = (
    Kind: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    read: (stats: UploadsStats) => number | readonly Reading[],
    labelNames: readonly string[] = [],
  ): void => {
    const metric = new Kind({
      name: `holdfast_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect: () => {
        const read_ = read(uploads.stats())
        metric.reset()
        for (const { labels = {}, value } of typeof read_ === 'number' ? [{ value: read_ }] : read_) {
          metric.inc(labels, value)
        }
      },
    })
  }
  register(
    Counter,
    'received_bytes_total',
    'Bytes of bodies received: appends are tus, chunks JSON.',
    ({ received }) => [
      { labels: { face: 'tus' }, value: received.append },
      { labels: { face: 'json' }, value: received.chunk },
    ],
    ['face'],
  )
  register(
    Gauge,
    'uploads_active',
    'Unfinished uploads that this node has received bytes of.',
    ({ activeUploads }) => activeUploads,
  )
  register(Gauge, 'bodies_active', 'Bodies being received.', ({ bodies }) => bodies.active)
  register(Gauge, 'bodies_waiting', 'Bodies that wait, unread, for memory or spool.', ({ bodies }) => bodies.waiting)
  register(Gauge, 'memory_budget_bytes', 'MEMORY_BUDGET.', ({ memory }) => memory.budget)
  register(
    Gauge,
    'memory_reserved_bytes',
    'Bytes of the memory budget that are taken.',
    ({ memory }) => memory.reserved,
  )
  register(Gauge, 'spool_budget_bytes', 'SPOOL_BUDGET.', ({ spool }) => spool.budget)
  register(Gauge, 'spool_reserved_bytes', 'Bytes of the spool that are taken.', ({ spool }) => spool.reserved)
  register(
    Gauge,
    'deliveries_pending',
    'Finished files of which webhooks are being told, or will be.',
    ({ deliveries }) => deliveries,
  )
  register(
    Counter,
    'sweeps_total',
    'Walks over all uploads on this node.',
    ({ sweeps }) => [
      { labels: { outcome: 'ok' }, value: sweeps.done },
      { labels: { outcome: 'error' }, value: sweeps.failed },
    ],
    ['outcome'],
  )
  register(Counter, 'swept_uploads_total', 'Uploads looked at by sweeps.', ({ sweeps }) => sweeps.visited)
  register(
    Gauge,
    'sweep_duration_seconds',
    'Time the last sweep took; 0 before the first.',
    ({ sweeps }) => sweeps.lastMs / 1000,
  )
  register(
    Gauge,
    'sweep_last_success_timestamp_seconds',
    'When the last sweep that went through ended; 0 before the first.',
    ({ sweeps }) => sweeps.lastAt / 1000,
  )
}
