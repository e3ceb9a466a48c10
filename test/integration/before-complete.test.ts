import { describe, expect, it, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, UploadError, type UploadsOptions } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { dataOf, failureOf, JsonClient } from '../support/json-client.ts'
import { listen } from '../support/listen.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

const HELLO = Buffer.from('hello')

/** A hook that says what `verdict` says, and counts how often it was asked. */
function hook(verdict: { error: Error | null }) {
  const asked: string[] = []
  const beforeComplete: UploadsOptions['beforeComplete'] = ({ manifest, ledger, status }) => {
    asked.push(`${manifest.fileName} ${ledger.durableBytes} ${status}`)
    if (verdict.error !== null) throw verdict.error
  }
  return { asked, beforeComplete }
}

const VETO = new UploadError('FORBIDDEN', { message: 'There is a virus in it.' })

async function serve(options: Partial<UploadsOptions>) {
  const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }), ...options })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const url = await listen(holdfast({ uploads, onError: () => {} }))
  const json = new JsonClient(url)
  onTestFinished(() => json.close())
  /** An upload of one chunk, which is there. */
  const filled = async (): Promise<string> => (await json.filled(HELLO, { fileName: 'a.txt' })).id
  return { json, filled, tus: new TusClient(url) }
}

describe('beforeComplete', () => {
  it('refuses a file to a JSON client, and is asked again when that asks again', async () => {
    const verdict: { error: Error | null } = { error: VETO }
    const { asked, beforeComplete } = hook(verdict)
    const { json, filled } = await serve({ beforeComplete })
    const id = await filled()
    expect(failureOf(await json.complete(id), 403, 'FORBIDDEN').message).toBe('There is a virus in it.')
    // Nothing of it is lost, and nothing is done: it may be cancelled, or completed after all.
    expect(await json.progressed(id)).toMatchObject({ status: 'uploading', uploadedBytes: 5 })
    expect(asked).toEqual(['a.txt 5 uploading'])

    verdict.error = null
    expect(await json.completed(id)).toMatchObject({ status: 'uploaded', size: 5 })
    expect(await json.completed(id)).toMatchObject({ status: 'uploaded', size: 5 })
    expect(asked).toHaveLength(2)
  })

  it('lets a refused upload be cancelled', async () => {
    const { json, filled } = await serve(hook({ error: VETO }))
    const id = await filled()
    failureOf(await json.complete(id), 403, 'FORBIDDEN')
    expect((await json.cancel(id)).status).toBe(200)
    failureOf(await json.complete(id), 410, 'UPLOAD_CANCELLED')
  })

  it('refuses a file to a tus client, in PATCH and HEAD, and is asked once however often that comes', async () => {
    const { asked, beforeComplete } = hook({ error: VETO })
    const { tus } = await serve({ beforeComplete })
    const path = await tus.create(HELLO.length)
    const patched = await tus.patch(path, 0, HELLO)
    expect([patched.status, patched.body.toString()]).toEqual([403, 'There is a virus in it.\n'])
    expect((await tus.head(path)).status).toBe(403)
    expect((await tus.patch(path, HELLO.length, Buffer.alloc(0))).status).toBe(403)
    expect(asked).toHaveLength(1)
    expect((await tus.request('DELETE', path)).status).toBe(204)
    expect((await tus.head(path)).status).toBe(410)
  })

  it('lets a tus client finish, in one PATCH', async () => {
    const { asked, beforeComplete } = hook({ error: null })
    const { tus } = await serve({ beforeComplete })
    const path = await tus.create(HELLO.length)
    const patched = await tus.patch(path, 0, HELLO)
    expect([patched.status, patched.headers['upload-offset']]).toEqual([204, '5'])
    expect((await tus.head(path)).headers['upload-offset']).toBe('5')
    expect(asked).toHaveLength(1)
  })

  it('is not taken for a veto where it fails: tus clients try again, and are told no offset meanwhile', async () => {
    const verdict: { error: Error | null } = { error: new Error('the scanner at /secret/place is away') }
    const { beforeComplete } = hook(verdict)
    const { tus, json, filled } = await serve({ beforeComplete })
    const path = await tus.create(HELLO.length)
    expect((await tus.patch(path, 0, HELLO)).status).toBe(500)
    const head = await tus.head(path)
    expect([head.status, head.headers['upload-offset']]).toEqual([423, undefined])
    const id = await filled()
    const failed = await json.complete(id)
    failureOf(failed, 500, 'INTERNAL')
    expect(failed.text).not.toContain('secret')

    verdict.error = new UploadError('STATE_UNAVAILABLE')
    failureOf(await json.complete(id), 503, 'STATE_UNAVAILABLE')
    expect((await tus.head(path)).status).toBe(423)

    verdict.error = null
    expect((await tus.head(path)).headers['upload-offset']).toBe('5')
    expect(dataOf(await json.complete(id))).toMatchObject({ status: 'uploaded' })
  })
})
