import { lastJson, lastTus, wholeJson, wholeTus } from './completion.ts'
import type { Connection } from './connection.ts'
import { flat } from './flat.ts'
import type { Job, Told, Workload } from './job.ts'
import { headOfLive, poll } from './polling.ts'
import { smallJson, smallPut, smallTus } from './small.ts'
import { chunks, patch, patches, put, puts, selfUpload } from './throughput.ts'

type Work = (connections: readonly Connection[], job: Job) => Promise<Told>

/** What each workload does. */
export const WORK: Readonly<Record<Workload, Work>> = {
  patch,
  patches,
  chunks,
  put,
  puts,
  'self-upload': selfUpload,
  'small-tus': smallTus,
  'small-json': smallJson,
  'small-put': smallPut,
  'poll-nothing': (connections, job) => poll(connections, job, 'nothing'),
  'poll-progress': (connections, job) => poll(connections, job, 'progress'),
  'poll-head': (connections, job) => poll(connections, job, 'head'),
  'head-of-live': headOfLive,
  'flat-tus': (connections, job) => flat(connections, job, 'tus'),
  'flat-json': (connections, job) => flat(connections, job, 'json'),
  'last-tus': lastTus,
  'last-json': lastJson,
  'last-json-at-once': (connections, job) => lastJson(connections, job, 'wait=0'),
  'whole-tus': wholeTus,
  'whole-json': wholeJson,
  'whole-json-at-once': (connections, job) => wholeJson(connections, job, 'wait=0'),
}
