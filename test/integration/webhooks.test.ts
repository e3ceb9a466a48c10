import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type UploadsOptions } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { dataOf, JsonClient, sha256 } from '../support/json-client.ts'
import { listen } from '../support/listen.ts'
import { tempDir } from '../support/temp-dir.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/webhook-receiver.ts'

const HELLO = Buffer.from('hello')

async function receiving(): Promise<WebhookReceiver> {
  const receiver = await WebhookReceiver.start()
  onTestFinished(() => receiver.leave())
  return receiver
}

/** Uploads that tell a receiver, and what went wrong with that. */
async function serve(url: string, options: Partial<UploadsOptions> & { directory?: string; timeoutMs?: number } = {}) {
  const { directory = await tempDir(), timeoutMs = 5000, ...rest } = options
  const errors: string[] = []
  const uploads = createUploads({
    storage: new FileStorage({ directory }),
    webhook: { url, secret: WEBHOOK_SECRET, timeoutMs },
    onError: (error, where) => errors.push(`${where}: ${error instanceof Error ? error.message : String(error)}`),
    ...rest,
  })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const json = new JsonClient(await listen(holdfast({ uploads })))
  onTestFinished(() => json.close())
  return { uploads, json, errors, directory }
}

describe('a webhook', () => {
  it('is told of a finished file once, signed, with its record', async () => {
    const receiver = await receiving()
    const { json, uploads } = await serve(receiver.url)
    const { id } = await json.filled(HELLO, { fileName: 'ümlaut.txt', metadata: { a: [1] } })
    const file = await json.completed(id)
    const [event] = await receiver.received(1)
    expect(event).toEqual({
      id: `completed_${file.id}`,
      type: 'upload.completed',
      timestamp: file.uploadedAt,
      data: {
        id: file.id,
        uploadId: id,
        owner: null,
        name: 'ümlaut.txt',
        size: 5,
        contentType: 'video/quicktime',
        metadata: { a: [1] },
        status: 'uploaded',
        uploadedAt: file.uploadedAt,
        checksum: sha256(HELLO),
        key: file.id,
      },
    })
    await json.completed(id)
    await uploads.close()
    expect([receiver.events.length, receiver.faults]).toEqual([1, []])
  })

  it('that fails, redirects or hangs is told again, with the same id', { timeout: 30_000 }, async () => {
    const receiver = await receiving()
    const elsewhere = await receiving()
    receiver.plan.push(500, 302, 'hang')
    receiver.headers = { Location: elsewhere.url }
    const { json, errors } = await serve(receiver.url, { timeoutMs: 200 })
    const { id, fileId } = await json.filled(HELLO)
    await json.completed(id)
    const events = await receiver.received(4)
    expect(events.map((event) => event.id)).toEqual(Array.from({ length: 4 }, () => `completed_${fileId}`))
    expect(receiver.faults).toEqual([])
    // A redirect would take the event to somebody else.
    expect(elsewhere.events).toEqual([])
    expect(errors).toEqual([
      `webhook: the webhook answered 500 to upload.completed completed_${fileId}`,
      `webhook: the webhook answered 302 to upload.completed completed_${fileId}`,
      expect.stringMatching(/^webhook: .*timeout/),
    ])
  })

  it('that wants nothing more is left alone until the next start, and what it is owed is kept', async () => {
    const receiver = await receiving()
    receiver.plan.push(410)
    const { json, errors, uploads, directory } = await serve(receiver.url)
    const one = await json.filled(HELLO)
    await json.completed(one.id)
    await receiver.received(1)
    const other = await json.filled(HELLO)
    await json.completed(other.id)
    await uploads.close()
    expect(receiver.events).toHaveLength(1)
    expect(errors).toEqual([expect.stringContaining('410 Gone')])

    await serve(receiver.url, { directory })
    await receiver.received(3)
    expect(receiver.ids.slice(1).toSorted()).toEqual(
      [`completed_${one.fileId}`, `completed_${other.fileId}`].toSorted(),
    )
  })

  it('is told of uploads that are cancelled, fail and expire', async () => {
    const receiver = await receiving()
    const clock = { now: Date.now() }
    const { json } = await serve(receiver.url, { now: () => clock.now, expiresAfterMs: 60_000 })
    const cancelled = await json.filled(HELLO)
    await json.cancel(cancelled.id)
    await receiver.received(1)

    const failed = await json.filled(HELLO, { checksum: sha256('another file') })
    expect((await json.complete(failed.id)).status).toBe(422)
    await receiver.received(2)

    const expired = await json.filled(HELLO)
    clock.now += 60_001
    expect((await json.progress(expired.id)).status).toBe(410)
    await receiver.received(3)

    expect(receiver.events.map(({ id, type, data }) => [id, type, data.uploadId, data.status])).toEqual([
      [`cancelled_${cancelled.id}`, 'upload.cancelled', cancelled.id, 'cancelled'],
      [`failed_${failed.id}`, 'upload.failed', failed.id, 'failed'],
      [`expired_${expired.id}`, 'upload.expired', expired.id, 'expired'],
    ])
    expect(receiver.faults).toEqual([])
  })

  it('may have its secret changed without a gap: each of several signs', async () => {
    const receiver = await receiving()
    const next = `whsec_${Buffer.from('f'.repeat(32)).toString('base64')}`
    const { json } = await serve(receiver.url, {
      webhook: { url: receiver.url, secret: [next, WEBHOOK_SECRET] },
    })
    await json.completed((await json.filled(HELLO)).id)
    await receiver.received(1)
    expect(receiver.faults).toEqual([])
  })

  it('is not told of a file that was removed before it could be', { timeout: 30_000 }, async () => {
    const receiver = await receiving()
    const { json, errors } = await serve(receiver.url)
    receiver.plan.push(503)
    const { id, fileId } = await json.filled(HELLO)
    await json.completed(id)
    await vi.waitUntil(() => errors.length > 0)
    expect((await json.call('DELETE', `/api/v1/files/${fileId}`)).status).toBe(200)
    await receiver.received(2)
    expect(receiver.ids).toEqual([`completed_${fileId}`, `cancelled_${id}`])
  })

  it('that hangs holds up no client, and a shutdown only for a moment', async () => {
    const receiver = await receiving()
    receiver.plan.push('hang')
    const { json, uploads } = await serve(receiver.url, { timeoutMs: 60_000 })
    const { id } = await json.filled(HELLO)
    expect(dataOf(await json.complete(id))).toMatchObject({ status: 'uploaded' })
    await receiver.received(1)
    await uploads.close()
  })
})
