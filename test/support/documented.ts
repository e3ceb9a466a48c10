import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { OpenApiDocument, OperationObject } from '../../src/json/index.ts'

/** An operation, with where it stands in the document. */
export interface DocumentedOperation {
  readonly method: string
  /** With `{id}` in it. */
  readonly path: string
  readonly operation: OperationObject
}

/** What came back to a call. */
export interface CheckedAnswer {
  readonly status: number
  readonly json: unknown
}

const METHOD_PLACE = /^(?:get|head|post|delete)$/

/** Holds what a server answers against an OpenAPI document, by a validator that knows nothing of how it was made. */
export class Documented {
  readonly operations: readonly DocumentedOperation[]
  readonly #ajv = new Ajv2020({ strict: true, allErrors: true })
  readonly #validators = new Map<string, ValidateFunction>()

  constructor(document: OpenApiDocument) {
    formats.default(this.#ajv)
    // The document itself is none, but the schemas in it refer to each other by their places in it.
    this.#ajv.addVocabulary(Object.keys(document))
    this.#ajv.addSchema(closed(document), 'api', undefined, false)
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([method]) => METHOD_PLACE.test(method))
        .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    )
  }

  /** The operation that answers a call, or undefined. */
  find(method: string, target: string): DocumentedOperation | undefined {
    const path = target.replace(/[?#].*$/s, '')
    const fitting = this.operations.filter((one) => fits(one.path, path))
    // As a router does: an address without a parameter is meant before one with it.
    const meant = fitting.find((one) => one.path === path)?.path ?? fitting[0]?.path
    return fitting.find((one) => one.path === meant && one.method === method)
  }

  /** What is not as documented of an answer, in words, or null. Every field that is answered has to be documented too. */
  fault(method: string, target: string, { status, json }: CheckedAnswer): string | null {
    // What the HTTP parser refuses is no call yet.
    const found = status === 431 ? undefined : this.find(method, target)
    if (found === undefined) return isFailure(json) ? this.#invalid(json, 'components', 'schemas', 'Failure') : null
    const response = found.operation.responses[String(status)]
    const call = `${found.method} ${found.path}`
    if (response === undefined) return `${call} is not documented to answer ${status}: ${JSON.stringify(json)}`
    if (method === 'HEAD' || response.content?.['application/json'] === undefined) return null
    const place = ['paths', found.path, method.toLowerCase(), 'responses', String(status), 'content']
    return this.#invalid(json, ...place, 'application/json', 'schema')
  }

  /** What is not valid of a value, by the schema at a place in the document, or null. */
  #invalid(value: unknown, ...place: readonly string[]): string | null {
    const pointer = place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    let validate = this.#validators.get(pointer)
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: `api#/${pointer}` })
      this.#validators.set(pointer, validate)
    }
    if (validate(value)) return null
    return `${this.#ajv.errorsText(validate.errors)} at ${decodeURIComponent(pointer)}: ${JSON.stringify(value)}`
  }

  /** What is not valid of a body in one media type, by its schema. */
  invalidBody(value: unknown, { method, path }: DocumentedOperation, ...place: readonly string[]): string | null {
    return this.#invalid(value, 'paths', path, method.toLowerCase(), ...place, 'schema')
  }
}

function fits(template: string, path: string): boolean {
  const wanted = template.split('/')
  const segments = path.split('/')
  return (
    wanted.length === segments.length &&
    wanted.every((part, at) => (part.startsWith('{') ? segments[at] !== '' : part === segments[at]))
  )
}

function isFailure(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'success' in json && json.success === false
}

/** The document with named schemas that allow no field but those they name: clients are told that there may be more. */
function closed(document: OpenApiDocument): OpenApiDocument {
  const close = (schema: unknown): unknown => {
    if (typeof schema !== 'object' || schema === null) return schema
    if (Array.isArray(schema)) return schema.map(close)
    const inside = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, close(value)]))
    return 'properties' in inside && typeof inside['type'] === 'string'
      ? { additionalProperties: false, ...inside }
      : inside
  }
  const schemas = close(document.components.schemas) as OpenApiDocument['components']['schemas']
  return { ...document, components: { ...document.components, schemas } }
}
