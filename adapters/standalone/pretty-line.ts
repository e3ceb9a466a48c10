/** A level of pino's, by its number: what is printed, and the ANSI code of its colour. */
const LEVELS: Readonly<Record<string, readonly [label: string, color: number]>> = {
  10: ['TRACE', 90],
  20: ['DEBUG', 90],
  30: ['INFO', 32],
  40: ['WARN', 33],
  50: ['ERROR', 31],
  60: ['FATAL', 41],
}

const GREY = 90
const RED = 31

/** Fields that have a place of their own in the line, or say nothing on a terminal. */
const PLACED: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'err', 'method', 'url', 'status', 'durationMs'])

/** One line of pino's as people read it; a request as `PATCH /files/… 204 12 ms`. What is no JSON stays as it is. */
export function prettyLine(json: string, color: boolean): string {
  const entry = parse(json)
  if (entry === null) return json
  const paint = (text: string, code: number): string => (color ? `\u001b[${code}m${text}\u001b[39;49m` : text)
  const [label, labelColor] = LEVELS[String(entry['level'])] ?? ['', GREY]
  const rest = Object.entries(entry).filter(([key]) => !PLACED.has(key))
  const parts = [
    paint(timeOf(entry['time']), GREY),
    paint(label.padEnd(5), labelColor),
    printable(messageOf(entry)),
    ...rest.map(([key, value]) => paint(`${key}=${printable(textOf(value))}`, key === 'code' ? RED : GREY)),
  ]
  return `${parts.filter((part) => part !== '').join(' ')}\n${errorOf(entry['err'])}`
}

function parse(json: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? { ...value } : null
  } catch {
    return null
  }
}

/** The time of day here: a terminal shows what happens now. */
function timeOf(time: unknown): string {
  if (typeof time !== 'number') return ''
  const date = new Date(time)
  const two = (n: number): string => String(n).padStart(2, '0')
  const ms = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`
}

function messageOf({ msg, method, url, status, durationMs }: Readonly<Record<string, unknown>>): string {
  const message = typeof msg === 'string' ? msg : ''
  if (typeof method !== 'string') return message
  const duration = durationMs === undefined ? '' : `${textOf(durationMs)} ms`
  const line = [method, textOf(url), textOf(status), duration].filter((part) => part !== '').join(' ')
  return message === 'request' ? line : `${line} ${message}`
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** What came from a client must not move the cursor, or write a line of its own. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function errorOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const stack = 'stack' in error ? error.stack : undefined
  const message = 'message' in error ? error.message : undefined
  const text = typeof stack === 'string' ? stack : textOf(message ?? error)
  const lines = text.split('\n').map((line) => `    ${printable(line)}\n`)
  return lines.join('')
}
