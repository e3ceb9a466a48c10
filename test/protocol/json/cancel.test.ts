import { describe, expect, it } from 'vitest'
import { failureOf, someFile } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()
const CANCELLED = { success: true, message: 'Upload cancelled successfully' }

describe('DELETE /{id}', () => {
  it('answers 200 with the message, and again the same', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 10, chunkSize: 4 })
    await client.sent(id, 0, someFile(4))

    const first = await client.cancel(id)
    const second = await client.cancel(id)

    expect(first).toMatchObject({ status: 200, json: CANCELLED })
    expect(first.json).toEqual(CANCELLED)
    expect(second).toMatchObject({ status: 200, json: CANCELLED })
  })

  it('cancels an upload that nothing was sent of, and one that lacks nothing but its completion', async () => {
    const { client } = server
    const empty = await client.begin({ fileSize: 10 })
    const full = await client.filled(someFile(10), { chunkSize: 4 })

    expect(await client.cancel(empty.id)).toMatchObject({ status: 200, json: CANCELLED })
    expect(await client.cancel(full.id)).toMatchObject({ status: 200, json: CANCELLED })
  })

  it('answers everything after it with 410 UPLOAD_CANCELLED', async () => {
    const { client } = server
    const bytes = someFile(4)
    const { id } = await client.begin({ fileSize: 8, chunkSize: 4 })
    await client.sent(id, 0, bytes)
    await client.cancel(id)

    failureOf(await client.progress(id), 410, 'UPLOAD_CANCELLED')
    failureOf(await client.call('GET', client.target(id)), 410, 'UPLOAD_CANCELLED')
    failureOf(await client.chunk(id, 0, bytes), 410, 'UPLOAD_CANCELLED')
    failureOf(await client.chunk(id, 1, bytes), 410, 'UPLOAD_CANCELLED')
    failureOf(await client.complete(id), 410, 'UPLOAD_CANCELLED')
    failureOf(await client.resume(id), 410, 'UPLOAD_CANCELLED')
  })

  it('deletes the bytes of the upload', async () => {
    const { client } = server
    const { id, fileId } = await client.filled(someFile(10), { chunkSize: 4 })
    expect(await server.inventory()).toContain(`uploads/${id}/data`)

    await client.cancel(id)

    const inventory = await server.inventory()
    expect(inventory).not.toContain(`uploads/${id}/data`)
    expect(inventory.filter((name) => name.includes(fileId))).toEqual([])
  })

  it('takes an empty body under a JSON content type', async () => {
    const { client } = server
    const { id } = await client.begin({ fileSize: 10 })

    const answer = await client.cancel(id, { headers: { 'Content-Type': 'application/json' } })

    expect(answer).toMatchObject({ status: 200, json: CANCELLED })
  })

  it('leaves the other uploads alone', async () => {
    const { client } = server
    const [one, other] = await Promise.all([client.filled(someFile(4)), client.filled(someFile(4))])
    await client.cancel(one.id)

    expect(await client.progressed(other.id)).toMatchObject({ status: 'uploading', uploadedBytes: 4 })
    expect(await client.completed(other.id)).toMatchObject({ status: 'uploaded' })
  })

  it('answers two cancels at once alike', async () => {
    const { client } = server
    const { id } = await client.filled(someFile(4))

    const answers = await Promise.all([client.cancel(id), client.cancel(id), client.cancel(id)])

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  })

  it('answers 404 UPLOAD_NOT_FOUND for an id that nobody has', async () => {
    const { client } = server

    failureOf(await client.cancel('00000000-0000-4000-8000-000000000000'), 404, 'UPLOAD_NOT_FOUND')
  })

  it('answers 410 UPLOAD_CANCELLED still after the server was killed and started anew', async () => {
    const { id } = await server.client.filled(someFile(4))
    await server.client.cancel(id)
    await server.restart()

    failureOf(await server.client.progress(id), 410, 'UPLOAD_CANCELLED')
    expect(await server.client.cancel(id)).toMatchObject({ status: 200, json: CANCELLED })
  })
})
