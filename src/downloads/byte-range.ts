/** Bytes `[start, end)` of a file. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

const UNIT = /^bytes=(.*)$/is
/** RFC 9110 section 14.1.1: first "-" [ last ], or "-" suffix-length. */
const SPEC = /^(\d*)-(\d*)$/

/**
 * Reads `Range` for a file of `size` bytes (RFC 9110 section 14.2). Null stands for the whole file: "a server MAY ignore
 * the Range header field", which it does with another unit, with what is malformed, and with several ranges, whose
 * multipart answers cost more than the few clients gain that would ask for them.
 */
export function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | null {
  const [, set = ''] = UNIT.exec(header.trim()) ?? []
  // "A recipient MUST parse and ignore a reasonable number of empty list elements" (section 5.6.1.2).
  const specs = set
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '')
  const [, first = '', last = ''] = (specs.length === 1 ? SPEC.exec(specs[0] ?? '') : null) ?? []
  if (first === '') return last === '' ? null : suffix(Number(last), size)
  return fromTo(Number(first), last === '' ? Infinity : Number(last), size)
}

/** The last bytes; "if the selected representation is shorter than the specified suffix-length", all of it. */
function suffix(length: number, size: number): ByteRange | 'unsatisfiable' | null {
  if (length === 0) return 'unsatisfiable'
  return size === 0 ? null : { start: Math.max(0, size - length), end: size }
}

function fromTo(first: number, last: number, size: number): ByteRange | 'unsatisfiable' | null {
  if (last < first) return null
  // Some clients ask for `bytes=0-` whatever they fetch. Of an empty file that is all of it, which no 206 can say.
  if (first === 0 && size === 0) return null
  if (first >= size) return 'unsatisfiable'
  return { start: first, end: Math.min(last + 1, size) }
}
