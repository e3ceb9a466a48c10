import { ERRORS, type ErrorCode, type ErrorEntry, RETRY_AFTER_S } from '../../errors.ts'
import type { JsonErrorCode } from '../failure-schema.ts'
import { EXAMPLE_FACTS } from './example-file.ts'
import type { HeaderObject, ResponseObject, SchemaObject } from './types.ts'

/** What every call may fail with. */
export const COMMON_ERRORS: readonly JsonErrorCode[] = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'INTERNAL',
  'STORAGE_UNAVAILABLE',
  'STATE_UNAVAILABLE',
  'DRAINING',
]

/** What is asked outside of the calls there are. No operation has them. */
export const ROUTING_ERRORS: readonly JsonErrorCode[] = ['NOT_FOUND', 'METHOD_NOT_ALLOWED']

const DETAILS: { readonly [Code in JsonErrorCode]?: object } = {
  INVALID_REQUEST: { field: 'fileSize' },
  CHUNKS_MISSING: { missing: [[0, 0]] },
  QUOTA_EXCEEDED: { of: 'bytes', limit: 53_687_091_200, used: 53_000_000_000, requested: 1_073_741_824 },
  RATE_LIMITED: { max: 100, windowMs: 60_000, retryAfterSeconds: 42 },
}

/** A schema that stands among the components. */
export function refTo(name: string): SchemaObject {
  return { $ref: `#/components/schemas/${name}` }
}

/** An answer with `data`. */
export function answerWith(
  description: string,
  schema: string,
  data: object,
  headers: Readonly<Record<string, HeaderObject>> = {},
): ResponseObject {
  return {
    description,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    content: {
      'application/json': {
        schema: {
          type: 'object',
          required: ['success', 'data'],
          properties: { success: { type: 'boolean', const: true }, data: refTo(schema) },
        },
        example: { success: true, data },
      },
    },
  }
}

/** The answers to a call that fails, by their statuses. */
export function failuresWith(codes: readonly JsonErrorCode[]): Record<string, ResponseObject> {
  const statuses = new Set(codes.map((code) => ERRORS[code].status))
  return Object.fromEntries(
    [...statuses]
      .toSorted((one, other) => one - other)
      .map((status) => [status, failureWith(codes.filter((code) => ERRORS[code].status === status))]),
  )
}

function failureWith(codes: readonly JsonErrorCode[]): ResponseObject {
  const headers: Record<string, HeaderObject> = {}
  if (codes.some((code) => entryOf(code).retry === true)) headers['Retry-After'] = RETRY_AFTER
  if (codes.includes('UNAUTHENTICATED')) headers['WWW-Authenticate'] = CHALLENGE
  return {
    description: codes.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join('\n\n'),
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    content: {
      'application/json': {
        schema: {
          allOf: [refTo('Failure')],
          type: 'object',
          properties: { error: { type: 'object', properties: { code: { enum: codes } } } },
        },
        examples: Object.fromEntries(codes.map((code) => [code, { value: failureExample(code) }])),
      },
    },
  }
}

function failureExample(code: JsonErrorCode): object {
  const details = DETAILS[code]
  const { message } = ERRORS[code]
  const { requestId } = EXAMPLE_FACTS
  return { success: false, error: { code, message, ...(details === undefined ? {} : { details }), requestId } }
}

function entryOf(code: ErrorCode): ErrorEntry {
  return ERRORS[code]
}

const RETRY_AFTER: HeaderObject = {
  description: 'Seconds after which to try again.',
  schema: { type: 'integer', minimum: RETRY_AFTER_S },
}

const CHALLENGE: HeaderObject = { description: 'How to authenticate.', schema: { type: 'string' } }
