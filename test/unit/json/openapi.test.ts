import { Validator } from '@seriousme/openapi-schema-validator'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openApiDocument } from '../../../adapters/openapi-document.ts'
import { parseCreateInput } from '../../../src/create-input.ts'
import { ERRORS } from '../../../src/errors.ts'
import { JSON_ERROR_CODES } from '../../../src/json/failure-schema.ts'
import { createFilesApi, type OpenApiDocument, type OperationObject } from '../../../src/json/index.ts'
import { ROUTING_ERRORS } from '../../../src/json/openapi/responses.ts'
import { OPERATIONS } from '../../../src/json/routes.ts'
import { createUploads } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { Documented } from '../../support/documented.ts'

const document = openApiDocument()
const documented = new Documented(document)

/** As a reader gets it: what JSON does not carry is not in it. */
const sent = JSON.parse(JSON.stringify(document)) as OpenApiDocument

function routesOf(description: OpenApiDocument): readonly string[] {
  return new Documented(description).operations.map(({ method, path }) => `${method} ${path}`).toSorted()
}

function codesOf({ responses }: OperationObject): readonly string[] {
  return Object.values(responses).flatMap(({ content }) => Object.keys(content?.['application/json']?.examples ?? {}))
}

describe('the OpenAPI document', () => {
  it('is valid by the schema of OpenAPI 3.1', async () => {
    const validator = new Validator()
    expect(await validator.validate(structuredClone(sent) as unknown as Record<string, unknown>)).toEqual({
      valid: true,
    })
    expect(validator.version).toBe('3.1')
  })

  it('loses nothing on its way through JSON, and is a new one each time', () => {
    expect(sent).toEqual(document)
    expect(openApiDocument().paths).not.toBe(document.paths)
  })

  it('has every route of the JSON face, and nothing more', () => {
    const { routes } = createFilesApi({
      uploads: createUploads({ storage: new FileStorage({ directory: '/nowhere' }) }),
    })
    const uploads = OPERATIONS.map(
      ({ method, pattern }) => `${method} /api/v1/uploads${pattern === '/' ? '' : pattern.replace(':id', '{id}')}`,
    )
    const files = routes.map(({ method, pattern }) => `${method} /api/v1/files${pattern.replace(':id', '{fileId}')}`)

    expect(routesOf(document)).toEqual([...uploads, ...files].toSorted())
  })

  it('names every operation once', () => {
    const names = documented.operations.map(({ operation }) => operation.operationId)
    expect(new Set(names).size).toBe(names.length)
  })

  it('has every code of the JSON face under its status, and no other', () => {
    const written = new Map<string, Set<number>>()
    for (const { operation } of documented.operations) {
      for (const [status, response] of Object.entries(operation.responses)) {
        for (const code of codesOf({ ...operation, responses: { [status]: response } })) {
          written.set(code, (written.get(code) ?? new Set()).add(Number(status)))
        }
      }
    }
    const wanted = JSON_ERROR_CODES.filter((code) => !ROUTING_ERRORS.includes(code))
    expect(Object.fromEntries(written)).toEqual(
      Object.fromEntries(wanted.map((code) => [code, new Set([ERRORS[code].status])])),
    )
    for (const code of ROUTING_ERRORS) expect(document.info.description).toContain(`\`${code}\``)
    expect(document.components.schemas['Failure']?.properties?.['error']?.properties?.['code']?.enum).toEqual(
      JSON_ERROR_CODES,
    )
  })

  it.each(documented.operations.map((one) => [one.method, one.path, one] as const))(
    'has an example of every body of %s %s, valid by its own schema',
    (_method, _path, one) => {
      const { requestBody, responses } = one.operation
      for (const [type, { example }] of Object.entries(requestBody?.content ?? {})) {
        expect(example).toBeDefined()
        expect(documented.invalidBody(example, one, 'requestBody', 'content', type)).toBeNull()
      }
      for (const [status, { content = {} }] of Object.entries(responses)) {
        for (const [type, { example, examples }] of Object.entries(content)) {
          // The bytes of a whole file stand in no document.
          if (type === '*/*' && status === '200') continue
          const values = examples === undefined ? [example] : Object.values(examples).map(({ value }) => value)
          for (const value of values) {
            expect(value).toBeDefined()
            expect(documented.invalidBody(value, one, 'responses', status, 'content', type)).toBeNull()
          }
        }
      }
    },
  )

  it('is of where the faces are mounted', () => {
    const moved = openApiDocument({ apiPrefix: '/v2/u', filesPrefix: '/v2/f', publicUrl: 'https://example.com/up' })
    expect(routesOf(moved)).toContain('POST /v2/u/{id}/chunks')
    expect(routesOf(moved)).toContain('GET /v2/f/{fileId}')
    expect(moved.servers).toEqual([{ url: 'https://example.com/up' }])
    expect(routesOf(openApiDocument({ apiPrefix: '/v2/uploads' }))).toContain('GET /v2/files/{fileId}')
    expect(routesOf(openApiDocument({ filesPrefix: false })).join()).not.toContain('files')
    expect(routesOf(openApiDocument({ apiPrefix: false }))).toEqual([])
  })

  it('says how the application authenticates', async () => {
    const secured = openApiDocument({
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    })
    expect(secured.security).toEqual([{ token: [] }, { key: [] }])
    const { '/api/v1/uploads/initiate': initiate, '/api/v1/uploads/{id}/chunks': chunks } = secured.paths
    expect(initiate?.post?.security).toBeUndefined()
    const withTokens = [{ token: [] }, { key: [] }, { uploadToken: [] }, { uploadTokenInQuery: [] }]
    expect(chunks?.post?.security).toEqual(withTokens)
    expect(secured.paths['/api/v1/files/{fileId}']?.get?.security).toBeUndefined()
    expect(await new Validator().validate(secured as unknown as Record<string, unknown>)).toEqual({ valid: true })
    expect(document).not.toHaveProperty('security')
  })
})

describe('the schema of an initiate', () => {
  const initiate = documented.find('POST', '/api/v1/uploads/initiate')
  if (initiate === undefined) throw new Error('There is no initiate.')
  const isValid = (body: unknown): boolean =>
    documented.invalidBody(body, initiate, 'requestBody', 'content', 'application/json') === null
  const isTaken = (body: unknown): boolean => {
    try {
      return parseCreateInput(body) !== undefined
    } catch {
      return false
    }
  }
  const name = fc.string({ unit: fc.constantFrom('a', '.', '/', '\\', '\0', '\n', '\u0085', 'é', '🎬'), maxLength: 4 })

  it('allows whatever the server takes', () => {
    const body = fc.record(
      {
        fileName: fc.oneof(name, fc.jsonValue()),
        fileSize: fc.oneof(fc.maxSafeInteger(), fc.double(), fc.jsonValue()),
        contentType: fc.constantFrom('', 'image/png', 'image', 1),
        metadata: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
        chunkSize: fc.oneof(fc.integer(), fc.double(), fc.jsonValue()),
        checksum: fc.constantFrom('aB'.repeat(32), 'ab', null),
      },
      { requiredKeys: [] },
    )
    fc.assert(fc.property(body, (one) => isValid(one) || !isTaken(one)))
  })

  it('allows the names that the server takes, and no others', () => {
    fc.assert(
      fc.property(name, (fileName) => isValid({ fileName, fileSize: 1 }) === isTaken({ fileName, fileSize: 1 })),
    )
  })
})
