/** A type, all subtypes of one, or all there are: `image/png`, `image/*`, or an asterisk on both sides. */
const PATTERN = /^(?:\*\/\*|[a-z0-9!#$&^_.+-]+\/(?:\*|[a-z0-9!#$&^_.+-]+))$/

/** A pattern as it is compared, or null where it is none. */
export function parseTypePattern(text: string): string | null {
  const pattern = text.trim().toLowerCase()
  return PATTERN.test(pattern) ? pattern : null
}

/** A media type without its parameters, as it is compared. */
export function essenceOf(mediaType: string): string {
  return (mediaType.split(';', 1)[0] ?? '').trim().toLowerCase()
}

/** Whether one of the patterns has this type. */
export function matchesType(patterns: readonly string[], mediaType: string): boolean {
  const essence = essenceOf(mediaType)
  const [kind = ''] = essence.split('/', 1)
  return patterns.some((pattern) => pattern === essence || pattern === '*/*' || pattern === `${kind}/*`)
}
