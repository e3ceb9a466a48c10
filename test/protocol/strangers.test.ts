import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import { beforeAll, afterAll, describe, expect, it } from 'vitest'
import holdfast from '../../adapters/fastify/index.ts'
import type { Principal } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { rm } from 'node:fs/promises'

const app = Fastify()
let directory = ''
let url = ''

beforeAll(async () => {
  directory = await makeTempDir()
  await app.register(holdfast, {
    storage: new FileStorage({ directory }),
    authenticate: ({ headers }) => {
      if (headers['x-principal'] !== undefined) return JSON.parse(String(headers['x-principal'])) as Principal
      return typeof headers['x-user'] === 'string' ? { id: headers['x-user'] } : null
    },
  })
  url = await app.listen({ port: 0, host: '127.0.0.1' })
})

afterAll(async () => {
  await app.close()
  await rm(directory, { recursive: true, force: true })
})

type Call = readonly [method: string, path: (id: string) => string, headers?: Record<string, string>, body?: string]

const API = '/api/v1/uploads'
const TUS = { 'Tus-Resumable': '1.0.0' }
const PATCH = { ...TUS, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }
const CALLS: readonly Call[] = [
  ['GET', (id) => `${API}/${id}`],
  ['GET', (id) => `${API}/${id}/progress`],
  [
    'POST',
    (id) => `${API}/${id}/chunks`,
    { 'X-Chunk-Number': '0', 'Content-Type': 'application/octet-stream' },
    'abcde',
  ],
  ['POST', (id) => `${API}/${id}/complete`],
  ['POST', (id) => `${API}/${id}/resume`],
  ['DELETE', (id) => `${API}/${id}`],
  ['HEAD', (id) => `/files/${id}`, TUS],
  ['PATCH', (id) => `/files/${id}`, PATCH, 'abcde'],
  ['DELETE', (id) => `/files/${id}`, TUS],
  ['GET', (id) => `/files/${id}`],
]

async function initiate(user: string): Promise<{ readonly id: string; readonly fileId: string }> {
  const answer = await fetch(`${url}${API}/initiate`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'x-user': user },
    body: JSON.stringify({ fileName: 'a.txt', fileSize: 5 }),
  })
  return ((await answer.json()) as { readonly data: { readonly id: string; readonly fileId: string } }).data
}

/** The answer without what differs between any two answers. */
async function call([method, path, headers = {}, body]: Call, id: string, user?: string) {
  const answer = await fetch(url + path(id), {
    method,
    headers: { ...headers, ...(user === undefined ? {} : { 'x-user': user }) },
    ...(body === undefined ? {} : { body }),
  })
  const text = (await answer.text()).replace(/"requestId":"[^"]*"/, '').replaceAll(id, 'ID')
  const kept = [...answer.headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
  return { status: answer.status, headers: Object.fromEntries(kept), text }
}

describe.each(CALLS.map((one) => [`${one[0]} ${one[1]('{id}')}`, one] as const))('%s', (_name, one) => {
  it('answers a stranger as if there were no such upload, to the letter', async () => {
    const { id } = await initiate('ann')
    const asStranger = await call(one, id, 'eve')
    expect(asStranger.status).toBe(404)
    expect(asStranger).toEqual(await call(one, randomUUID(), 'eve'))
    const progress = await call(['GET', (of) => `${API}/${of}`], id, 'ann')
    expect(JSON.parse(progress.text)).toMatchObject({ data: { status: 'initiated', uploadedBytes: 0 } })
  })

  it('answers 401 to nobody', async () => {
    const { id } = await initiate('ann')
    expect((await call(one, id)).status).toBe(401)
  })
})

it('a finished file is absent for a stranger, and there for its owner', async () => {
  const { id, fileId } = await initiate('ann')
  for (const one of CALLS.slice(2, 4)) expect((await call(one, id, 'ann')).status).toBe(200)
  const FILES: readonly Call[] = [
    ['GET', (of) => `/api/v1/files/${of}`],
    ['GET', (of) => `/api/v1/files/${of}/content`],
    ['DELETE', (of) => `/api/v1/files/${of}`],
  ]
  for (const one of FILES) expect(await call(one, fileId, 'eve')).toEqual(await call(one, randomUUID(), 'eve'))
  for (const one of FILES) expect((await call(one, fileId, 'ann')).status).toBe(200)
})

it.each([
  ['{}', 401],
  ['{"id":""}', 401],
  ['{"id":null}', 401],
  ['{"id":5}', 500],
  ['{"id":{"a":1}}', 500],
])('a principal without an id that is a text is let in nowhere: %s', async (principal, status) => {
  const headers = { 'Content-Type': 'application/json', 'x-principal': principal }
  const json = await fetch(`${url}${API}/initiate`, { method: 'POST', headers, body: '{"fileName":"a","fileSize":1}' })
  const tus = await fetch(`${url}/files`, {
    method: 'POST',
    headers: { ...TUS, 'Upload-Length': '1', 'x-principal': principal },
  })
  expect([json.status, tus.status]).toEqual([status, status])
})

describe('a file that is to be made of parts', () => {
  const create = (user: string, headers: Record<string, string>, ...body: [] | [string]) =>
    call(['POST', () => '/files', { ...TUS, ...headers }, ...body], '', user)
  const final = async (user: string, id: string) => {
    const answer = await create(user, { 'Upload-Concat': `final;/files/${id}` })
    return { ...answer, text: answer.text.replaceAll(id, 'ID') }
  }

  it('is refused of a stranger’s as of none, to the letter', async () => {
    const { status, headers } = await create(
      'ann',
      {
        'Upload-Concat': 'partial',
        'Upload-Length': '5',
        'Content-Type': 'application/offset+octet-stream',
      },
      'hello',
    )
    expect(status).toBe(201)
    const id = headers['location']?.split('/').at(-1) ?? ''
    const asStranger = await final('eve', id)
    expect(asStranger.status).toBe(404)
    expect(asStranger).toEqual(await final('eve', randomUUID()))
    // Nor does eve learn of a file that ann has made of it.
    expect((await final('ann', id)).status).toBe(201)
    expect(await final('eve', id)).toEqual(asStranger)
  })
})
