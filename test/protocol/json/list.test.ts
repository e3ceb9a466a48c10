import { describe, expect, it } from 'vitest'
import { dataOf, failureOf, type ProgressAnswer } from '../../support/json-client.ts'
import { TusClient } from '../../support/tus-client.ts'
import { useJsonServer } from './use-json-server.ts'

interface ListAnswer {
  readonly items: readonly ProgressAnswer[]
  readonly nextCursor: string | null
}

const AS_ALICE = { 'X-API-Key': 'key-of-alice' }
const AS_BOB = { 'X-API-Key': 'key-of-bob' }

describe('GET /api/v1/uploads', () => {
  const server = useJsonServer({ AUTH: 'api-key', API_KEYS: 'alice:key-of-alice,bob:key-of-bob' })

  const get = (query = '', headers: object = AS_ALICE) =>
    server.client.call('GET', `/api/v1/uploads${query}`, { headers: { ...headers } })
  const listed = async (query = '', headers: object = AS_ALICE) => dataOf(await get(query, headers)) as ListAnswer

  it('has the unfinished uploads of who asks, in both protocols, and after a restart the same', async () => {
    const { id } = await server.client.begin({ fileSize: 10 }, AS_ALICE)
    const tus = await new TusClient(server.url).request('POST', '/files', {
      headers: { ...AS_ALICE, 'Tus-Resumable': '1.0.0', 'Upload-Defer-Length': 1 },
    })
    expect(tus.status).toBe(201)
    await server.client.begin({ fileSize: 10 }, AS_BOB)
    const before = await listed()
    expect(before).toMatchObject({ items: [{ totalSize: null }, { sessionId: id, totalSize: 10 }], nextCursor: null })
    const progress = await server.client.call('GET', `/api/v1/uploads/${id}`, { headers: AS_ALICE })
    expect(before.items[1]).toEqual(dataOf(progress))
    await server.restart()
    expect((await listed()).items.map(({ sessionId }) => sessionId)).toEqual(
      before.items.map(({ sessionId }) => sessionId),
    )
    expect((await listed('', AS_BOB)).items).toHaveLength(1)
  })

  it('comes in pages, also with a slash at the end', async () => {
    const first = await listed('?limit=1')
    expect(first.items).toHaveLength(1)
    const second = await listed(`/?cursor=${first.nextCursor}&limit=1`)
    expect(second.items).toHaveLength(1)
    expect(second.items[0]?.sessionId).not.toBe(first.items[0]?.sessionId)
    expect(second.nextCursor).toBeNull()
  })

  it.each(['limit=0', 'limit=101', 'limit=x', 'limit=1e1', 'limit=', 'limit=1&limit=2', 'cursor=x'])(
    'is 400 with ?%s',
    async (query) => {
      expect(failureOf(await get(`?${query}`), 400, 'INVALID_REQUEST').details).toEqual({ field: query.split('=')[0] })
    },
  )

  it('is 401 for nobody', async () => {
    failureOf(await get('', {}), 401, 'UNAUTHENTICATED')
  })

  it('supports no other method', async () => {
    const answer = await server.client.call('POST', '/api/v1/uploads', { headers: AS_ALICE })
    failureOf(answer, 405, 'METHOD_NOT_ALLOWED')
    expect(answer.headers.allow).toBe('GET')
  })
})

describe('GET /api/v1/uploads, where nobody is asked who he is', () => {
  const server = useJsonServer()

  it('is 401', async () => {
    failureOf(await server.client.call('GET', '/api/v1/uploads'), 401, 'UNAUTHENTICATED')
  })
})
