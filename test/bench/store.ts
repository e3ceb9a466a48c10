import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { CephServer } from '../support/services/ceph-server.ts'
import type { S3Service } from '../support/services/s3-service.ts'
import type { Ground } from './run.ts'
import { startProgram } from './subject.ts'

const DELAY_PROXY = fileURLToPath(new URL('servers/delay-proxy.js', import.meta.url))

/** An S3, as far as a table needs it. */
export interface Store {
  readonly service: S3Service
  /** A bucket for each run, and the store's processes. `latencyMs` comes between every request and its answer. */
  readonly ground: Ground
  stop(): Promise<void>
}

/** A Ceph that nobody has used yet, for it keeps all in memory; it is stopped with the store. */
export async function startStore(ceph: Promise<CephServer>, latencyMs = 0): Promise<Store> {
  const server = await ceph
  const far =
    latencyMs === 0
      ? null
      : await startProgram([process.execPath, DELAY_PROXY, server.service.endpoint, String(latencyMs)])
  const service = far === null ? server.service : { ...server.service, endpoint: far.url }
  const pids = [...server.pids, ...(far?.pids ?? [])]
  return {
    service,
    ground: { store: pids, s3: async () => ({ ...service, bucket: await newBucket(server.service) }) },
    stop: async () => {
      await far?.stop()
      await server.stop()
    },
  }
}

/** A new bucket; its name. */
export async function newBucket(service: S3Service): Promise<string> {
  const client = new S3Client(service)
  const Bucket = `holdfast-bench-${randomUUID()}`
  await client.send(new CreateBucketCommand({ Bucket }))
  client.destroy()
  return Bucket
}
