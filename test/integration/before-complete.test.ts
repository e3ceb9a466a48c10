import { describe, expect, it, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, UploadError, type UploadsOptions } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { listen } from '../support/listen.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

const API = '/api/v1/uploads'
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
  const json = async (method: string, path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${url}${API}${path}`, { method, ...init })
    return { status: answer.status, body: (await answer.json()) as JsonAnswer }
  }
  /** An upload of one chunk, which is there. */
  const filled = async (): Promise<string> => {
    const { body } = await json('POST', '/initiate', {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ fileName: 'a.txt', fileSize: HELLO.length }),
    })
    const headers = { 'Content-Type': 'application/octet-stream', 'X-Chunk-Number': '0' }
    await json('POST', `/${body.data.id}/chunks`, { headers, body: HELLO })
    return body.data.id
  }
  return { uploads, json, filled, tus: new TusClient(url) }
}

interface JsonAnswer {
  readonly data: { readonly id: string; readonly [key: string]: unknown }
  readonly error: { readonly code: string; readonly message: string }
}

describe('beforeComplete', () => {
  it('refuses a file to a JSON client, and is asked again when that asks again', async () => {
    const verdict: { error: Error | null } = { error: VETO }
    const { asked, beforeComplete } = hook(verdict)
    const { json, filled } = await serve({ beforeComplete })
    const id = await filled()
    const refused = await json('POST', `/${id}/complete`)
    expect([refused.status, refused.body.error.code, refused.body.error.message]).toEqual([
      403,
      'FORBIDDEN',
      'There is a virus in it.',
    ])
    // Nothing of it is lost, and nothing is done: it may be cancelled, or completed after all.
    expect((await json('GET', `/${id}`)).body.data).toMatchObject({ status: 'uploading', uploadedBytes: 5 })
    expect(asked).toEqual(['a.txt 5 uploading'])

    verdict.error = null
    expect((await json('POST', `/${id}/complete`)).body.data).toMatchObject({ status: 'uploaded', size: 5 })
    expect((await json('POST', `/${id}/complete`)).status).toBe(200)
    expect(asked).toHaveLength(2)
  })

  it('lets a refused upload be cancelled', async () => {
    const { json, filled } = await serve(hook({ error: VETO }))
    const id = await filled()
    await json('POST', `/${id}/complete`)
    expect((await json('DELETE', `/${id}`)).status).toBe(200)
    expect((await json('POST', `/${id}/complete`)).body.error.code).toBe('UPLOAD_CANCELLED')
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
    const failed = await json('POST', `/${id}/complete`)
    expect([failed.status, JSON.stringify(failed.body).includes('secret')]).toEqual([500, false])

    verdict.error = new UploadError('STATE_UNAVAILABLE')
    expect((await json('POST', `/${id}/complete`)).status).toBe(503)
    expect((await tus.head(path)).status).toBe(423)

    verdict.error = null
    expect((await tus.head(path)).headers['upload-offset']).toBe('5')
    expect((await json('POST', `/${id}/complete`)).status).toBe(200)
  })
})
