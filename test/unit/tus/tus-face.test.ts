import { type IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Server } from '@tus/server'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createUploads, MemoryState } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { TusFace } from '../../../src/tus/index.ts'
import { tempDir } from '../../support/temp-dir.ts'

async function aFace() {
  const storage = new FileStorage({ directory: await tempDir(), fsync: 'off' })
  const uploads = createUploads({ storage, state: new MemoryState() })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const asked = vi.spyOn(Server.prototype, 'handleWeb')
  onTestFinished(() => asked.mockRestore())
  const face = new TusFace({ uploads, path: '/files' })
  const post = (headers: IncomingHttpHeaders, body = '') => {
    const raw = new IncomingMessage(new Socket())
    raw.method = 'POST'
    Object.assign(raw.headers, { 'tus-resumable': '1.0.0', 'content-length': String(body.length), ...headers })
    if (body !== '') raw.push(body)
    raw.push(null)
    return face.handle({ raw, path: '/', caller: { principal: null }, requestId: 'r' })
  }
  return { asked, post }
}

describe('a creation', () => {
  it('with its file is answered in one go, without @tus/server', async () => {
    const { asked, post } = await aFace()
    const type = 'application/offset+octet-stream'
    const reply = await post({ 'upload-length': '5', 'content-type': type }, 'hello')
    expect(reply).toMatchObject({ status: 201, headers: { 'Upload-Offset': '5' }, body: null })
    expect(reply.headers['Location']).toMatch(/^\/files\/[\w-]{36}$/)
    expect(asked).not.toHaveBeenCalled()
  })

  it('with a part of its file goes the same way, whoever answers it', async () => {
    const { asked, post } = await aFace()
    const type = 'application/offset+octet-stream'
    const plain = await post({ 'upload-length': '9', 'content-type': type }, 'hello')
    const deferred = await post({ 'upload-defer-length': '1', 'content-type': type }, 'hello')
    expect(asked).toHaveBeenCalledTimes(1)
    expect(deferred.status).toBe(plain.status)
    expect(deferred.headers['Upload-Offset']).toBe('5')
    expect(Object.keys(deferred.headers).toSorted()).toEqual(Object.keys(plain.headers).toSorted())
  })

  it('that @tus/server refuses is left to it', async () => {
    const { asked, post } = await aFace()
    await expect(post({ 'upload-length': '05' })).resolves.toMatchObject({ status: 400 })
    await expect(post({ 'upload-length': '5', 'upload-defer-length': '1' })).resolves.toMatchObject({ status: 400 })
    await expect(post({})).resolves.toMatchObject({ status: 400 })
    expect(asked).toHaveBeenCalledTimes(3)
  })
})
