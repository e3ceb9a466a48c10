import { type ErrorCode, UploadError } from '../errors.ts'
import type { JsonRoute } from './json-api.ts'

/** An operation, and the id its path names. */
export interface Match<O extends JsonRoute> {
  readonly operation: O
  /** Decoded once and shaped like an id; empty where the pattern has none. */
  readonly id: string
}

/** As ids are made: lower case only, so that no file system that folds case finds one upload under two names. */
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * Finds the operation for a path below the prefix, not decoded.
 * @throws UploadError `NOT_FOUND`; `METHOD_NOT_ALLOWED` (details.allow); `absent` where no id can look like that
 */
export function matchOperation<O extends JsonRoute>(
  operations: readonly O[],
  method: string,
  path: string,
  absent: ErrorCode = 'UPLOAD_NOT_FOUND',
): Match<O> {
  const segments = splitPath(path)
  const pattern = operations.find((operation) => fits(operation.pattern, segments))?.pattern
  if (pattern === undefined) throw new UploadError('NOT_FOUND')
  const here = operations.filter((operation) => operation.pattern === pattern)
  const operation = here.find((candidate) => candidate.method === method)
  if (operation === undefined) {
    const allow = here.map((candidate) => candidate.method)
    throw new UploadError('METHOD_NOT_ALLOWED', {
      message: `This address does not support ${method}; it supports ${allow.join(', ')}.`,
      details: { allow },
    })
  }
  const id = pattern.startsWith('/:id') ? (segments[0] ?? '') : ''
  if (id !== '' && !ID.test(id)) throw new UploadError(absent)
  return { operation, id }
}

/** The segments of a path, each decoded once; one slash at the end does not count. */
function splitPath(path: string): string[] {
  return path.replace(/\/$/, '').split('/').slice(1).map(decodeSegment)
}

/** Segments of the patterns, which are few. */
const wantedOf = new Map<string, readonly string[]>()

/** A segment that cannot be decoded stays as it is: it is then no id, which is all there is to say of it. */
function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function fits(pattern: string, segments: readonly string[]): boolean {
  let wanted = wantedOf.get(pattern)
  if (wanted === undefined) wantedOf.set(pattern, (wanted = pattern === '/' ? [] : pattern.split('/').slice(1)))
  return (
    wanted.length === segments.length &&
    wanted.every((part, at) => (part === ':id' ? segments[at] !== '' : part === segments[at]))
  )
}
