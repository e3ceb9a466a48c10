import type { JsonErrorCode } from '../failure-schema.ts'

/** A JSON Schema (2020-12), or a reference to one, as far as this document uses it. */
export interface SchemaObject {
  readonly $ref?: string
  readonly allOf?: readonly SchemaObject[]
  readonly anyOf?: readonly SchemaObject[]
  readonly type?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, SchemaObject>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
  readonly items?: SchemaObject
  readonly minItems?: number
  readonly maxItems?: number
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly format?: string
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
}

/** A body in one media type. */
interface MediaTypeObject {
  readonly schema: SchemaObject
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly summary?: string; readonly value: unknown }>>
}

/** Bodies by their media types. */
export type ContentObject = Readonly<Record<string, MediaTypeObject>>

/** A header of an answer. */
export interface HeaderObject {
  readonly description: string
  readonly schema: SchemaObject
}

/** A header, a part of the path or of the query of a request. */
export interface ParameterObject extends HeaderObject {
  readonly name: string
  readonly in: 'header' | 'path' | 'query'
  readonly required: boolean
  readonly example?: string | number
}

/** One answer. */
export interface ResponseObject {
  readonly description: string
  readonly headers?: Readonly<Record<string, HeaderObject>>
  readonly content?: ContentObject
}

/** One call. */
export interface OperationObject {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly parameters: readonly ParameterObject[]
  readonly requestBody?: { readonly required: boolean; readonly content: ContentObject }
  readonly responses: Readonly<Record<string, ResponseObject>>
  /** Ways to authenticate, where they are not those of the document; any one will do. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
}

/** A method as OpenAPI writes it. */
export type MethodName = 'get' | 'head' | 'post' | 'delete'

/** The calls at one address. */
export type PathObject = { readonly [Method in MethodName]?: OperationObject }

/** An OpenAPI 3.1 document, as far as this one goes. */
export interface OpenApiDocument {
  readonly openapi: string
  readonly info: {
    readonly title: string
    readonly version: string
    readonly description: string
    readonly license: { readonly name: string; readonly identifier: string }
  }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, PathObject>>
  readonly components: {
    readonly schemas: Readonly<Record<string, SchemaObject>>
    readonly securitySchemes?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
}

/** What there is to say of one operation beside its address. */
export interface OperationDoc {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  /** Headers and query of the request. The id in the path is known from the pattern. */
  readonly parameters?: readonly ParameterObject[]
  readonly requestBody?: OperationObject['requestBody']
  /** The answers to a call that succeeds, by their statuses. */
  readonly success: Readonly<Record<string, ResponseObject>>
  /** What it may fail with beside what every call may. */
  readonly errors: readonly JsonErrorCode[]
}
