/**
 * The client of the benchmark, in a process of its own: `node main.js JOB`, where the job is JSON. Prints one line of JSON.
 */
import { block, Connection } from './connection.ts'
import type { Job, Outcome } from './job.ts'
import { WORK } from './workloads.ts'

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
