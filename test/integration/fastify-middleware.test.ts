import Fastify from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import holdfast from '../../adapters/fastify/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { tempDir } from '../support/temp-dir.ts'

const users = new WeakMap<object, string>()

it('runs middleware ahead of both faces, and hands authenticate what it put on the request', async () => {
  const app = Fastify()
  onTestFinished(() => app.close())
  await app.register(holdfast, {
    storage: new FileStorage({ directory: await tempDir() }),
    middleware: [
      (request, _response, next) => {
        const user = request.headers['x-user']
        if (typeof user === 'string') users.set(request, user)
        next()
      },
    ],
    authenticate: (request) => {
      const id = users.get(request.raw)
      return id === undefined ? null : { id }
    },
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const tus = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '1' }
  const json = { 'Content-Type': 'application/json' }
  const body = '{"fileName":"a","fileSize":1}'

  for (const user of [{}, { 'x-user': 'ann' }]) {
    const expected = 'x-user' in user ? 201 : 401
    const byTus = await fetch(`${url}/files`, { method: 'POST', headers: { ...tus, ...user } })
    const byJson = await fetch(`${url}/api/v1/uploads/initiate`, {
      method: 'POST',
      headers: { ...json, ...user },
      body,
    })
    expect([byTus.status, byJson.status]).toEqual([expected, expected])
  }
})
