import { beforeAll, describe, expect, it } from 'vitest'
import type { OpenApiDocument } from '../../../src/json/index.ts'
import { type DocumentedOperation, Documented } from '../../support/documented.ts'
import type { Answer } from '../../support/json-client.ts'
import { useJsonServer } from './use-json-server.ts'

const server = useJsonServer()
let document: OpenApiDocument
let documented: Documented

/** The ids of the story, as the server has given them out. */
const ids: Record<string, string> = {}

beforeAll(async () => {
  const answer = await server.client.call('GET', '/documentation/json')
  document = answer.json as OpenApiDocument
  documented = new Documented(document)
})

/** In the order in which the examples tell one story: what a step needs, the steps before it have made. */
const STORY = [
  'initiateUpload',
  'putChunk',
  'getProgress',
  'getUpload',
  'resumeUpload',
  'completeUpload',
  'getFile',
  'headFile',
  'downloadFile',
  'deleteFile',
  'cancelUpload',
] as const

/** What the story leaves out, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  listUploads: 'nobody is asked who he is here, and nobody has no uploads: see list.test.ts',
  watchUpload: 'its answer does not end as long as the upload does not',
}

/** What happens off the page, before a step. */
const MEANWHILE: Readonly<Record<string, () => Promise<void>>> = {
  completeUpload: async () => void (await server.client.sent(id('id'), 0, Buffer.alloc(5 * 1024 * 1024))),
  cancelUpload: async () => void (ids['id'] = (await server.client.begin({ fileSize: 5 })).id),
}

function id(name: string): string {
  return ids[name] ?? 'nobody has been given an id'
}

function operation(operationId: string): DocumentedOperation {
  const found = documented.operations.find((one) => one.operation.operationId === operationId)
  if (found === undefined) throw new Error(`There is no operation ${operationId}.`)
  return found
}

/** Sends what the examples say. */
async function send({ method, path, operation }: DocumentedOperation): Promise<Answer> {
  const headers: Record<string, string> = {}
  for (const { in: place, name, example } of operation.parameters) {
    if (place === 'header' && example !== undefined) headers[name] = String(example)
  }
  const [body] = Object.entries(operation.requestBody?.content ?? {})
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => id(name))
  if (body === undefined) return server.client.call(method, target, { headers })
  const [type, { example }] = body
  return server.client.call(method, target, {
    headers: { 'Content-Type': type, ...headers },
    body: typeof example === 'string' ? example : JSON.stringify(example),
  })
}

/** What is another each time: ids, times, speeds. */
function withoutFacts(value: unknown): unknown {
  const text = JSON.stringify(value)
    .replaceAll(/[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g, 'id')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
    .replaceAll(/"(bytesPerSecond|estimatedTimeRemaining)":(?:[\d.]+|null|"[\d:]+")/g, '"$1":0')
  return JSON.parse(text)
}

describe('the examples of the document', () => {
  it('are one story with every operation in it', () => {
    const names = documented.operations.map((one) => one.operation.operationId)
    expect(names.toSorted()).toEqual([...STORY, ...Object.keys(ELSEWHERE)].toSorted())
  })

  it.each(STORY)('are what happens: %s', async (operationId) => {
    await MEANWHILE[operationId]?.()
    const one = operation(operationId)
    const answer = await send(one)

    const { responses } = one.operation
    expect(Object.keys(responses)).toContain(String(answer.status))
    expect(answer.status, answer.text).toBeLessThan(300)
    const { content = {}, headers = {} } = responses[String(answer.status)] ?? {}
    for (const name of Object.keys(headers)) expect(answer.headers, name).toHaveProperty(name.toLowerCase())
    const [[type, { example }] = [undefined, { example: undefined }]] = Object.entries(content)
    if (type === 'application/json') {
      expect(documented.fault(one.method, one.path, answer)).toBeNull()
      expect(withoutFacts(answer.json)).toEqual(withoutFacts(example))
      const { data } = answer.json as { readonly data?: { readonly id: string; readonly fileId: string } }
      if (operationId === 'initiateUpload') Object.assign(ids, data)
    } else expect(answer.text).toBe(example ?? '')
  })
})

describe('GET /documentation', () => {
  it('answers the document to whoever asks for JSON', async () => {
    const answer = await server.client.call('GET', '/documentation', { headers: { Accept: 'application/json' } })
    expect(answer).toMatchObject({ status: 200, json: document })
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', vary: 'Accept' })
  })

  it.each(['text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8', '*/*', undefined])(
    'answers a page to whoever asks for %s',
    async (accept) => {
      const headers = accept === undefined ? {} : { Accept: accept }
      const answer = await server.client.call('GET', '/documentation', { headers })
      expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } })
    },
  )

  it('answers a page that asks for nothing from anywhere, and may not', async () => {
    const { text, headers } = await server.client.call('GET', '/documentation')
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(text).not.toMatch(/<(?:script|link|img|iframe)\b|\ssrc=|url\(|@import/i)
    for (const [, target] of text.matchAll(/href="([^"]*)"/g)) expect(target).toMatch(/^(?:#|documentation\/json$)/)
  })

  it('answers a page with every call, every schema and every code in it, and no link that leads nowhere', async () => {
    const { text } = await server.client.call('GET', '/documentation')
    for (const {
      path,
      operation: { operationId, summary },
    } of documented.operations) {
      expect(text).toContain(`<details id="${operationId}">`)
      expect(text).toContain(path)
      expect(text).toContain(summary)
    }
    for (const code of document.components.schemas['Failure']?.properties?.['error']?.properties?.['code']?.enum ??
      []) {
      expect(text).toContain(`<code>${String(code)}</code>`)
    }
    for (const [, anchor] of text.matchAll(/href="#([^"]*)"/g)) expect(text).toContain(`id="${anchor}"`)
  })
})
