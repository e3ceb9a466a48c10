import { expect, it } from 'vitest'
import { bytesOf } from './byte-source.ts'
import type { TakeOver } from './takeover.ts'
import { commonVerdict, type EndedUpload, type Verdict } from './upload-verdict.ts'

const CHUNK = 5 * 1024 * 1024
/** Two chunks: a multipart upload. */
const BYTES = bytesOf(3, CHUNK + 1000)

const COMPLETING = { name: 'PutObject', key: '/completing' } as const
const MAKING = { name: 'CompleteMultipartUpload' } as const
const RECORDING = { name: 'PutObject', key: '/records/' } as const
const DELETING = { name: 'AbortMultipartUpload' } as const

/** A node stands still while it ends an upload, and another has ended it when it goes on. */
export function itEndsOnce(pair: () => TakeOver): void {
  /** Uploads that have come to nothing. */
  const gone: Omit<EndedUpload, 'bytes'>[] = []

  const fill = () => pair().other.json.filled(BYTES, { chunkSize: CHUNK })

  /** How the upload has ended: all agree, now and after state was lost. */
  async function verdictOn({ id, fileId }: Omit<EndedUpload, 'bytes'>): Promise<Verdict> {
    const upload = { id, fileId, bytes: BYTES }
    const verdict = await commonVerdict(pair().nodes, upload)
    await pair().flush()
    expect(await commonVerdict(pair().nodes, upload)).toBe(verdict)
    if (verdict === 'cancelled') gone.push({ id, fileId })
    return verdict
  }

  it.for([
    ['before it says that it completes', { ...COMPLETING, when: 'before' }],
    ['when it has said that it completes', { ...COMPLETING, when: 'after' }],
    ['before the file is made', { ...MAKING, when: 'before' }],
    ['when the file is made', { ...MAKING, when: 'after' }],
    ['before it records the file', { ...RECORDING, when: 'before' }],
    ['when it has recorded the file', { ...RECORDING, when: 'after' }],
  ] as const)('completes nothing anew, stopped %s', async ([, moment]) => {
    const begun = await fill()
    const stops = pair().stopped.stopsAt(moment)
    const late = pair().stopped.json.complete(begun.id)
    await stops
    const file = await pair().other.json.completed(begun.id)
    pair().stopped.goOn()
    const { status, json } = await late
    if (status !== 423) expect(json).toEqual({ success: true, data: file })
    expect(await verdictOn(begun)).toBe('uploaded')
    // What the first was told stands.
    for (const node of pair().nodes) expect(await node.json.completed(begun.id)).toEqual(file)
    expect(pair().nodes.some((node) => node.hasCompleted(begun.id))).toBe(true)
  })

  it.for([
    ['before it says that it completes', { ...COMPLETING, when: 'before' }],
    ['before the file is made', { ...MAKING, when: 'before' }],
    ['before it records the file', { ...RECORDING, when: 'before' }],
    ['when it has recorded the file', { ...RECORDING, when: 'after' }],
  ] as const)('brings no file back that was deleted, stopped %s', async ([, moment]) => {
    const begun = await fill()
    const stops = pair().stopped.stopsAt(moment)
    const late = pair().stopped.json.complete(begun.id)
    await stops
    const removed = await pair().other.tus.request('DELETE', `/files/${begun.id}`)
    pair().stopped.goOn()
    expect((await late).status).not.toBe(200)
    expect(removed.status).toBe(204)
    expect(await verdictOn(begun)).toBe('cancelled')
  })

  it('brings no file back by its only chunk', async () => {
    const { tus, json } = pair().other
    const bytes = BYTES.subarray(0, 1000)
    const { id, fileId } = await json.begin({ fileSize: bytes.length })
    const stops = pair().stopped.stopsAt({ name: 'PutObject', key: fileId, when: 'before' })
    const late = pair().stopped.json.chunk(id, 0, bytes)
    await stops
    await json.sent(id, 0, bytes)
    await json.completed(id)
    expect((await tus.request('DELETE', `/files/${id}`)).status).toBe(204)
    pair().stopped.goOn()
    expect((await late).status).toBe(410)
    expect(await verdictOn({ id, fileId })).toBe('cancelled')
  })

  const cancels = [
    ['before it records that', { ...RECORDING, when: 'before' }, 'uploaded'],
    ['when it has recorded that', { ...RECORDING, when: 'after' }, 'cancelled'],
    ['before it deletes the bytes', { ...DELETING, when: 'before' }, 'cancelled'],
  ] as const

  it.for(cancels)('cancels what is not completed, for good, stopped %s', async ([, moment, verdict]) => {
    const begun = await fill()
    const stops = pair().stopped.stopsAt(moment)
    const late = pair().stopped.json.cancel(begun.id)
    await stops
    const complete = await pair().other.json.complete(begun.id)
    pair().stopped.goOn()
    expect([complete.status, (await late).status]).toEqual(verdict === 'uploaded' ? [200, 409] : [410, 200])
    expect(await verdictOn(begun)).toBe(verdict)
  })

  it.for(cancels)('has deleted over tus what it says it has, stopped %s', async ([, moment]) => {
    const begun = await fill()
    const stops = pair().stopped.stopsAt(moment)
    const late = pair().stopped.tus.request('DELETE', `/files/${begun.id}`)
    await stops
    const complete = await pair().other.json.complete(begun.id)
    pair().stopped.goOn()
    const removed = await late
    // It may take a file away that another has completed: either is an end, but only one.
    const verdict = await verdictOn(begun)
    expect(verdict).toBe(removed.status === 204 ? 'cancelled' : 'uploaded')
    if (verdict === 'uploaded') expect(complete.status).toBe(200)
  })

  it('leaves nothing behind that the next sweep does not find', async () => {
    expect(gone.length).toBeGreaterThan(0)
    // A node sweeps when it starts.
    await pair().startAnother()
    const { place } = pair()
    const left = async (): Promise<string[]> => {
      const keys = [...(await place.keys()), ...(await place.multipartKeys())]
      return keys.filter((key) => gone.some(({ id, fileId }) => key.includes(id) || key.includes(fileId)))
    }
    const tombstones = gone.flatMap(({ id, fileId }) => [
      `holdfast/records/${fileId}`,
      `holdfast/uploads/${id}/manifest`,
    ])
    await expect.poll(left, { timeout: 10_000 }).toHaveLength(tombstones.length)
    expect((await left()).toSorted()).toEqual(tombstones.toSorted())
  })
}
