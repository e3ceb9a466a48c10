import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { createUploads, MemoryState } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { S3Storage, s3ClientOptions } from '../../../src/storage/s3/index.ts'
import { s3Service } from '../../support/services/s3.ts'
import type { WebhookReceiver } from '../../support/webhook-receiver.ts'
import { filesNamed, leftoversInBucket, leftoversOnDisk, uploadIds } from './leftovers.ts'
import type { World } from './world.ts'

/** So soon unfinished uploads expire at the end. */
const EXPIRES_AFTER = '2s'
/** A clock that is fast by this takes what lies about for old. */
const LATER_MS = 4 * 60_000
/** So long nothing may become less that is to go, ms: a sweep reads all uploads before it ends the first. */
const PATIENCE_MS = 120_000
const DAY_MS = 25 * 60 * 60_000

/**
 * Lets all that is unfinished expire, and sees that nothing is left of it but the records of its end; and a day later not
 * even those. `told`: ids of the files that clients know, and of their uploads; `untold`: names of files that may stand besides.
 */
export async function expectNothingLeft(
  world: World,
  told: ReadonlySet<string>,
  untold: ReadonlySet<string>,
): Promise<void> {
  await world.settled()
  const data = join(world.directory, 'data')
  const finished = new Set([...told, ...(await filesNamed(data, world.bucket, untold))])
  for (let at = 0; at < world.traits.nodes; at += 1) await world.end(at, 'SIGTERM')
  // What is rebuilt from storage has a full period.
  await world.flush()
  await world.begin(0, { EXPIRES_AFTER }, LATER_MS)
  const left = (records: boolean) => (): Promise<string[]> =>
    world.bucket === null
      ? leftoversOnDisk(data, finished, records)
      : leftoversInBucket(world.bucket, finished, records)
  expect(await whenNoLess(() => openUploads(world)), 'uploads that do not expire').toEqual([])
  expect(await whenNoLess(left(true)), 'left after expiry').toEqual([])
  await world.end(0, 'SIGTERM')

  const sweeper = await sweepADayLater(world)
  expect(await whenNoLess(left(false)), 'left a day later').toEqual([])
  await sweeper.close()
  await world.begin(0)
}

/** Whoever listens was told of every finished file, and of no upload that is none. */
export async function expectTold(
  { events, faults }: WebhookReceiver,
  fileIds: readonly string[],
  unfinished: ReadonlySet<string>,
): Promise<void> {
  const completed = () => events.filter(({ type }) => type === 'upload.completed')
  const untold = (): string[] => {
    const told = new Set(completed().map(({ data }) => data['id']))
    return fileIds.filter((id) => !told.has(id))
  }
  await expect.poll(untold, { message: 'files of which nobody was told', timeout: 30_000 }).toEqual([])
  const wrong = completed().filter(({ data }) => unfinished.has(String(data['uploadId'])))
  expect(wrong, 'told of what is no file').toEqual([])
  expect(faults, 'what was told').toEqual([])
}

/** Uploads that have not ended, as the server tells. */
async function openUploads({ urls, directory, bucket }: World): Promise<string[]> {
  const open: string[] = []
  for (const id of await uploadIds(join(directory, 'data'), bucket)) {
    const answer = await fetch(`${urls[0]}/api/v1/uploads/${id}/progress`)
    const { data } = (await answer.json()) as { readonly data?: { readonly status: string } }
    if (data !== undefined && data.status !== 'uploaded') open.push(`${id} ${data.status}`)
  }
  return open
}

/** What is left when nothing is, or when it has not become less for a while. */
async function whenNoLess(left: () => Promise<string[]>): Promise<string[]> {
  let least = Infinity
  for (let since = performance.now(); ; await delay(250)) {
    const now = await left()
    if (now.length === 0 || performance.now() - since > PATIENCE_MS) return now
    if (now.length < least) since = performance.now()
    least = Math.min(least, now.length)
  }
}

/** A node whose clock is a day ahead: it sweeps when it begins. */
async function sweepADayLater({ bucket, directory }: World): Promise<{ close(): Promise<void> }> {
  const client = new S3Client({ ...s3ClientOptions(), ...s3Service() })
  const uploads = createUploads({
    storage:
      bucket === null ? new FileStorage({ directory: join(directory, 'data') }) : new S3Storage({ client, bucket }),
    state: new MemoryState(),
    now: () => Date.now() + DAY_MS,
  })
  await uploads.open()
  return {
    close: async () => {
      await uploads.close()
      client.destroy()
    },
  }
}
