import { rm } from 'node:fs/promises'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holdfast } from '../../../adapters/fastify/index.ts'
import { type Action, createUploads, type Uploads } from '../../../src/index.ts'
import { type FileLayer, nodeFiles } from '../../../src/storage/file/file-layer.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { type Answer, dataOf, failureOf, JsonClient } from '../../support/json-client.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const FILES = '/api/v1/files'
const NOBODY = '00000000-0000-4000-8000-000000000000'

const asked: (readonly [string | undefined, Action])[] = []
/** Whether the disk refuses to delete anything. */
let undeletable = false
let client: JsonClient
let uploads: Uploads
let close: () => Promise<void>
let directory = ''

const layer: FileLayer = {
  ...nodeFiles,
  unlink: async (path) => {
    if (undeletable) throw Object.assign(new Error('EIO'), { code: 'EIO' })
    await nodeFiles.unlink(path)
  },
}

beforeAll(async () => {
  directory = await makeTempDir()
  uploads = createUploads({
    storage: new FileStorage({ directory, layer }),
    authorize: (principal, action, subject) => {
      asked.push([principal?.id, action])
      return subject.owner === principal?.id
    },
  })
  const app = Fastify({ return503OnClosing: false })
  await app.register(holdfast, {
    uploads,
    authenticate: ({ headers }) => (headers.authorization === undefined ? null : { id: headers.authorization }),
  })
  await uploads.open()
  client = new JsonClient(await app.listen({ host: '127.0.0.1', port: 0 }))
  close = () => app.close()
})

afterAll(async () => {
  await close()
  client.close()
  await rm(directory, { recursive: true, force: true })
})

const as = (who: string, method: string, path: string): Promise<Answer> =>
  client.call(method, path, { headers: { Authorization: who } })

/** A finished file of somebody's. */
async function fileOf(who: string): Promise<{ readonly id: string; readonly fileId: string }> {
  const upload = await uploads.create({ fileName: 'a', fileSize: 0 }, { principal: { id: who } })
  const { id, fileId } = upload.manifest
  await uploads.complete(id, {}, { principal: { id: who } })
  return { id, fileId }
}

/** An answer but for what tells one request from another. */
function face({ status, headers, text }: Answer): object {
  const { date: _date, 'x-request-id': _id, ...rest } = headers
  return { status, headers: rest, text: text.replace(/"requestId":"[^"]*"/, '') }
}

describe('a file', () => {
  it('is read, downloaded and deleted by who may, asked for each', async () => {
    const { id, fileId } = await fileOf('alice')
    asked.length = 0
    dataOf(await as('alice', 'GET', `${FILES}/${fileId}`))
    expect((await as('alice', 'GET', `${FILES}/${fileId}/content`)).status).toBe(200)
    expect((await as('alice', 'HEAD', `${FILES}/${fileId}/content`)).status).toBe(200)
    expect((await as('alice', 'GET', `/files/${id}`)).status).toBe(200)
    expect((await as('alice', 'DELETE', `${FILES}/${fileId}`)).status).toBe(200)
    const actions = ['read', 'download', 'download', 'download', 'cancel']
    expect(asked).toEqual(actions.map((action) => ['alice', action]))
  })

  it('of somebody else looks exactly like one that does not exist', async () => {
    const { fileId } = await fileOf('alice')
    for (const [method, what] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/content'],
      ['HEAD', '/content'],
    ] as const) {
      const theirs = await as('mallory', method, `${FILES}/${fileId}${what}`)
      const nobodys = await as('mallory', method, `${FILES}/${NOBODY}${what}`)
      expect(theirs.status).toBe(404)
      expect(face(theirs)).toEqual(face(nobodys))
    }
    dataOf(await as('alice', 'GET', `${FILES}/${fileId}`))
  })

  it('is nothing for who does not say who they are', async () => {
    const { fileId } = await fileOf('alice')
    const answer = await client.call('GET', `${FILES}/${fileId}/content`)
    failureOf(answer, 401, 'UNAUTHENTICATED')
    expect(answer.headers['www-authenticate']).toBe('Bearer')
  })

  it('that is deleted is gone, also where the disk keeps its bytes for now', async () => {
    const { fileId } = await fileOf('alice')
    undeletable = true
    expect((await as('alice', 'DELETE', `${FILES}/${fileId}`)).status).toBe(200)
    undeletable = false
    for (const what of ['', '/content']) {
      failureOf(await as('alice', 'GET', `${FILES}/${fileId}${what}`), 404, 'FILE_NOT_FOUND')
    }
  })

  it('is not begun to be sent while the server shuts down', async () => {
    const { fileId } = await fileOf('alice')
    const caller = { principal: { id: 'alice' } }
    const begun = await uploads.downloadFile(fileId, caller)
    await uploads.close()
    await expect(begun.open()).rejects.toMatchObject({ code: 'DRAINING' })
    await expect(uploads.downloadFile(fileId, caller)).rejects.toMatchObject({ code: 'DRAINING' })
  })
})
