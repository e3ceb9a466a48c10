import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataOf, failureOf, sha256, someFile } from '../../support/json-client.ts'
import { useDownloadServer } from './download-server.ts'

const server = useDownloadServer()
const FILES = '/api/v1/files'

describe('GET of a file', () => {
  it('answers what complete answered, and the metadata', async () => {
    const metadata = { album: 'Summer', tags: ['a', 'b'] }
    const { file, record } = await server.finish(someFile(10), { metadata })
    const answer = await server.json.call('GET', record)
    expect(dataOf(answer)).toEqual({ ...file, metadata })
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  it('answers 404 before the upload is complete', async () => {
    const { id, fileId } = await server.json.filled(someFile(10))
    failureOf(await server.json.call('GET', `${FILES}/${fileId}`), 404, 'FILE_NOT_FOUND')
    failureOf(await server.json.call('GET', `${FILES}/${fileId}/content`), 404, 'FILE_NOT_FOUND')
    failureOf(await server.json.call('DELETE', `${FILES}/${fileId}`), 404, 'FILE_NOT_FOUND')
    await server.json.completed(id)
    dataOf(await server.json.call('GET', `${FILES}/${fileId}`))
  })

  it.each([
    ['an id that nothing has', randomUUID()],
    ['a path', '..%2F..%2Fetc%2Fpasswd'],
    ['an id in upper case', randomUUID().toUpperCase()],
    ['a long id', 'a'.repeat(500)],
    ['an escape that is none', '%E0%A4%A'],
    ['a NUL', '%00'],
  ])('answers 404 for %s', async (_what, id) => {
    for (const method of ['GET', 'DELETE']) {
      failureOf(await server.json.call(method, `${FILES}/${id}`), 404, 'FILE_NOT_FOUND')
    }
    failureOf(await server.json.call('GET', `${FILES}/${id}/content`), 404, 'FILE_NOT_FOUND')
    const head = await server.json.call('HEAD', `${FILES}/${id}/content`)
    expect(head).toMatchObject({ status: 404, text: '' })
  })

  it('answers 404 for the id of the upload: a file has its own', async () => {
    const { id } = await server.json.filled(someFile(10))
    await server.json.completed(id)
    failureOf(await server.json.call('GET', `${FILES}/${id}`), 404, 'FILE_NOT_FOUND')
  })

  it('answers in the form of the API where there is nothing, or not that method', async () => {
    const { record, content } = await server.finish(someFile(1))
    failureOf(await server.json.call('GET', FILES), 404, 'NOT_FOUND')
    failureOf(await server.json.call('GET', `${record}/nothing`), 404, 'NOT_FOUND')
    const put = await server.json.call('PUT', record)
    failureOf(put, 405, 'METHOD_NOT_ALLOWED')
    expect(put.headers.allow).toBe('GET, DELETE')
    const post = await server.json.call('POST', content, { body: 'x' })
    failureOf(post, 405, 'METHOD_NOT_ALLOWED')
    expect(post.headers.allow).toBe('GET, HEAD')
    failureOf(await server.json.call('GET', content, { headers: { Range: 'bytes=5-' } }), 416, 'RANGE_NOT_SATISFIABLE')
  })
})

describe('DELETE of a file', () => {
  it('removes the file, its bytes and the upload that made it', async () => {
    const { file, record, content, tus } = await server.finish(someFile(10))
    const answer = await server.json.call('DELETE', record)
    expect(answer).toMatchObject({ status: 200, json: { success: true, message: 'File deleted successfully' } })
    failureOf(await server.json.call('GET', record), 404, 'FILE_NOT_FOUND')
    failureOf(await server.json.call('GET', content), 404, 'FILE_NOT_FOUND')
    failureOf(await server.json.call('DELETE', record), 404, 'FILE_NOT_FOUND')
    expect((await server.request('GET', tus)).status).toBe(404)
    const id = tus.split('/').at(-1) ?? ''
    failureOf(await server.json.progress(id), 410, 'UPLOAD_CANCELLED')
    const names = await readdir(join(server.dataDir, 'files'))
    expect(names.filter((name) => name.startsWith(file.id))).toEqual([])
  })

  it('is done once, whoever asks at the same time', async () => {
    const { record } = await server.finish(someFile(10))
    const answers = await Promise.all(Array.from({ length: 8 }, () => server.json.call('DELETE', record)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(7)
  })

  it('stays done when the server is killed', async () => {
    const { record } = await server.finish(someFile(10))
    await server.json.call('DELETE', record)
    await server.restart()
    failureOf(await server.json.call('GET', record), 404, 'FILE_NOT_FOUND')
  })

  it('lets a download that has begun come to its end', async () => {
    const bytes = someFile(20_000_000)
    const { record, content } = await server.finish(bytes)
    const [download] = (await once(httpGet(server.url + content), 'response')) as [IncomingMessage]
    await once(download, 'readable')
    expect((await server.json.call('DELETE', record)).status).toBe(200)
    const pieces: Buffer[] = []
    for await (const piece of download as AsyncIterable<Buffer>) pieces.push(piece)
    expect(sha256(Buffer.concat(pieces))).toBe(sha256(bytes))
  })
})
