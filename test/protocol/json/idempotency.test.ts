import { describe, expect, it } from 'vitest'
import { dataOf, failureOf, type Initiated, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()
const REQUEST = { fileName: 'holiday.mov', fileSize: 10, chunkSize: 4, metadata: { album: 'summer' } }

async function initiated(key: string, body: unknown = REQUEST): Promise<Initiated> {
  return dataOf(await server.client.initiate(body, { 'Idempotency-Key': key }), 201) as Initiated
}

/** How many uploads there are. */
async function uploads(): Promise<number> {
  return (await server.inventory()).filter((name) => /^uploads\/[\da-f-]{36}$/.test(name)).length
}

describe('initiate with an Idempotency-Key', () => {
  it('answers the same upload for the same key, and makes one only', async () => {
    const before = await uploads()
    const first = await initiated('same')

    expect(await initiated('same')).toEqual(first)
    expect(await uploads()).toBe(before + 1)
  })

  it('answers the same upload to many at once', async () => {
    const before = await uploads()

    const answers = await Promise.all(Array.from({ length: 10 }, () => initiated('at-once')))

    expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
    expect(await uploads()).toBe(before + 1)
  })

  it('answers with the address of the same upload', async () => {
    const { client } = server
    const { id } = await initiated('address')

    const again = await client.initiate(REQUEST, { 'Idempotency-Key': 'address' })

    expect(again.headers.location).toBe(client.target(id))
  })

  it('answers the upload as it stands when chunks have come since', async () => {
    const first = await initiated('begun')
    await server.client.sent(first.id, 0, someFile(4))

    const again = await initiated('begun')

    expect(again.id).toBe(first.id)
    expect(await server.client.progressed(first.id)).toMatchObject({ uploadedBytes: 4 })
  })

  it('makes another upload for another key, and for none', async () => {
    const first = await initiated('one')
    const second = await initiated('two')
    const third = await server.client.begin(REQUEST)

    expect(new Set([first.id, second.id, third.id]).size).toBe(3)
  })

  it.each([
    ['another name', { ...REQUEST, fileName: 'other.mov' }],
    ['another size', { ...REQUEST, fileSize: 11 }],
    ['another chunk size', { ...REQUEST, chunkSize: 5 }],
    ['other metadata', { ...REQUEST, metadata: { album: 'winter' } }],
    ['another checksum', { ...REQUEST, checksum: 'a'.repeat(64) }],
  ])('answers 422 IDEMPOTENCY_KEY_REUSED for %s, and makes nothing', async (what, other) => {
    const key = `reused-for-${what.replaceAll(' ', '-')}`
    const { id } = await initiated(key)
    const before = await server.inventory()

    const failure = failureOf(
      await server.client.initiate(other, { 'Idempotency-Key': key }),
      422,
      'IDEMPOTENCY_KEY_REUSED',
    )

    expect(failure.message).toMatch(/Idempotency-Key/)
    expect(await server.inventory()).toEqual(before)
    expect(await initiated(key)).toMatchObject({ id })
  })

  it('takes the same fields in another order, and another spacing, for the same request', async () => {
    const first = await initiated('order')
    const { metadata, chunkSize, fileSize, fileName } = REQUEST

    const again = await initiated('order', JSON.stringify({ metadata, chunkSize, fileSize, fileName }, null, 2))

    expect(again.id).toBe(first.id)
  })

  it('does not remember a request that was refused', async () => {
    const refused = await server.client.initiate({ ...REQUEST, fileSize: -1 }, { 'Idempotency-Key': 'refused' })
    expect(refused.status).toBe(400)

    expect(await initiated('refused')).toMatchObject({ status: 'initiated' })
  })

  it('answers the same upload after the server was killed and started anew', async () => {
    const { expiresAt: _, ...first } = await initiated('survives')
    await server.restart()

    expect(await initiated('survives')).toMatchObject(first)
    failureOf(
      await server.client.initiate({ ...REQUEST, fileSize: 11 }, { 'Idempotency-Key': 'survives' }),
      422,
      'IDEMPOTENCY_KEY_REUSED',
    )
  })
})
