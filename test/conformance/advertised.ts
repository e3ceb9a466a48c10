import type { Answer } from './wire.ts'

/** What a server says of itself in its answer to OPTIONS. */
export interface Advertised {
  readonly versions: readonly string[]
  readonly extensions: ReadonlySet<string>
  /** `Tus-Max-Size`, or null. */
  readonly maxSize: number | null
  readonly algorithms: readonly string[]
}

/** Reads the answer to OPTIONS. */
export function readAdvertised({ headers }: Pick<Answer, 'headers'>): Advertised {
  const maxSize = headers['tus-max-size']
  return {
    versions: list(headers['tus-version']),
    extensions: new Set(list(headers['tus-extension'])),
    maxSize: typeof maxSize === 'string' && /^\d+$/.test(maxSize) ? Number(maxSize) : null,
    algorithms: list(headers['tus-checksum-algorithm']),
  }
}

/** The items of a comma-separated header. */
export function list(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '')
  return text === '' ? [] : text.split(',').map((item) => item.trim())
}
