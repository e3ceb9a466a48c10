import { collectDefaultMetrics, Counter, Registry } from 'prom-client'
import { DurationHistogram } from './duration-histogram.ts'

/** Of requests and of bodies, which take from a millisecond to hours. Seconds. */
const LONG = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]
/** Of calls to storage and Redis. Seconds. */
const SHORT = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60]

/** Every metric that is written as things happen. Those that are read off when somebody asks are in `stats-metrics.ts`. */
export type Metrics = ReturnType<typeof createMetrics>

/** Makes the metrics, and those of the process itself. Names and labels are what dashboards rely on. */
export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `holdfast_${name}`, help, labelNames, registers: [registry] })
  const histogram = (name: string, help: string, labelNames: readonly string[], buckets: readonly number[]) =>
    new DurationHistogram({ name: `holdfast_${name}`, help, labelNames, buckets, registry })
  return {
    registry,
    created: counter('uploads_created_total', 'Uploads created on this node.'),
    completed: counter('uploads_completed_total', 'Uploads whose file this node made.'),
    cancelled: counter('uploads_cancelled_total', 'Uploads cancelled, and finished files removed, on this node.'),
    expired: counter('uploads_expired_total', 'Uploads and files whose expiry this node carried out.'),
    failed: counter('uploads_failed_total', 'Uploads that failed on this node, by the code of the error.', ['code']),
    errors: counter('errors_total', 'Requests answered with an error, by its code.', ['face', 'code']),
    requests: histogram(
      'request_duration_seconds',
      'Time from the first byte of a request to the last of its answer. An append is a PATCH, a chunk a JSON chunk.',
      ['face', 'operation', 'outcome'],
      LONG,
    ),
    completion: histogram(
      'completion_duration_seconds',
      'Time storage took to make a file of a full ledger.',
      ['outcome'],
      LONG,
    ),
    lockWait: histogram('lock_wait_seconds', 'Time waited for a lock on an upload.', ['scope', 'outcome'], SHORT),
    locksLost: counter('locks_lost_total', 'Locks that were lost while they were held.', ['scope']),
    storageCall: histogram(
      'storage_call_duration_seconds',
      'Time a call of the storage took, with its retries.',
      ['call', 'outcome'],
      SHORT,
    ),
    stateCall: histogram('state_call_duration_seconds', 'Time a call of the state took.', ['call', 'outcome'], SHORT),
    s3Request: histogram(
      's3_request_duration_seconds',
      'Time one attempt at an S3 request took.',
      ['command', 'outcome'],
      SHORT,
    ),
    s3Retries: counter('s3_retries_total', 'S3 requests that were tried again.'),
    redisCommand: histogram(
      'redis_command_duration_seconds',
      'Time a Redis command took.',
      ['command', 'outcome'],
      SHORT,
    ),
    redisReconnects: counter('redis_reconnects_total', 'Attempts to connect to Redis again.'),
  }
}
