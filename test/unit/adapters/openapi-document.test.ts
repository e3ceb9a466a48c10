import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { holdfast, openApiDocument } from '../../../adapters/fastify/index.ts'
import { openApiDocument as ofNode } from '../../../adapters/node/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { tempDir } from '../../support/temp-dir.ts'

test('an application serves the document where it likes: the plugin serves none by itself', async () => {
  const app = Fastify()
  onTestFinished(() => app.close())
  await app.register(holdfast, { storage: new FileStorage({ directory: await tempDir() }) })
  app.get('/openapi.json', () => openApiDocument())

  expect((await app.inject({ url: '/documentation' })).statusCode).toBe(404)
  expect((await app.inject({ url: '/openapi.json' })).json()).toEqual(openApiDocument())
})

test('the document is the same from every door', () => {
  expect(ofNode).toBe(openApiDocument)
})

test('what an application adds to its document is in no other', () => {
  const mine = openApiDocument() as unknown as { components: { schemas: { Failure: { properties: object } } } }
  Object.assign(mine.components.schemas.Failure.properties, { traceId: { type: 'string' } })
  expect(JSON.stringify(openApiDocument())).not.toContain('traceId')
})
