/**
 * The client of the benchmark, in a process of its own: `node main.js JOB`, where the job is JSON. Prints one line of JSON.
 */
import { lastJson, lastTus, wholeJson, wholeTus } from './completion.ts'
import { block, Connection } from './connection.ts'
import { flat } from './flat.ts'
import type { Job, Outcome, Told, Workload } from './job.ts'
import { headOfLive, poll } from './polling.ts'
import { smallJson, smallPut, smallTus } from './small.ts'
import { chunks, patch, patches, put, puts, selfUpload } from './throughput.ts'

type Work = (connections: readonly Connection[], job: Job) => Promise<Told>

const WORK: Readonly<Record<Workload, Work>> = {
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

const job = JSON.parse(process.argv[2] ?? '') as Job
const connections = await Promise.all(Array.from({ length: job.connections }, () => Connection.to(job.url)))
block(job.chunk)
const [began, cpuBefore] = [performance.now(), process.cpuUsage()]
const told = await WORK[job.workload](connections, job).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
const seconds = (performance.now() - began) / 1000
const { user, system } = process.cpuUsage(cpuBefore)
console.log(JSON.stringify({ ...told, seconds, cpuSeconds: (user + system) / 1e6 } satisfies Outcome))
for (const one of connections) one.close()
