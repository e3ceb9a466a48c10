import { parseSize as sizeOf, parseTypePattern } from '../../src/index.ts'

/** What a parser answers for a text that it does not allow. */
export const WRONG = Symbol('wrong')

/** Turns a variable's text into its value, or {@link WRONG}. */
export type Parse<T> = (text: string) => T | typeof WRONG

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A hundred years, ms: from now on, it must end at a time that a date can tell. */
const MAX_DURATION_MS = 36_500 * 86_400_000

/** The longest time a timer of Node can run, ms: beyond it a timer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Bytes: `1000`, `5MiB`, `50GiB`, `50GB`. Never 0. */
export const parseSize: Parse<number> = (text) => sizeOf(text) ?? WRONG

/** Milliseconds: `500ms`, `90s`, `15m`, `24h`, `7d`. Never 0. */
export const parseDuration: Parse<number> = (text) => {
  const ms = scaled(/^([0-9]+)(ms|s|m|h|d)$/, text, DURATION_UNITS)
  return ms === WRONG || ms > MAX_DURATION_MS ? WRONG : ms
}

/** A duration that a timer can run. */
export const parseTimer: Parse<number> = (text) => {
  const ms = parseDuration(text)
  return ms === WRONG || ms > MAX_TIMER_MS ? WRONG : ms
}

/** Below a second, a moment's pause of a process would cost it its locks. */
const LEAST_LEASE_MS = 1000

/** How long a lock is lent, ms. */
export const parseLease: Parse<number> = (text) => {
  const ms = parseTimer(text)
  return ms === WRONG || ms < LEAST_LEASE_MS ? WRONG : ms
}

/** A positive whole number. */
export const parseCount: Parse<number> = (text) => scaled(/^([0-9]+)()$/, text, { '': 1 })

/** A whole number, which may be 0. */
export const parseWhole: Parse<number> = (text) => (text === '0' ? 0 : parseCount(text))

/** A count in a time: `100/1m`. */
export const parseRate: Parse<{ readonly max: number; readonly windowMs: number }> = (text) => {
  const [count = '', duration = '', ...more] = text.split('/')
  const max = parseCount(count)
  const windowMs = parseTimer(duration)
  return max === WRONG || windowMs === WRONG || more.length > 0 ? WRONG : { max, windowMs }
}

/** Media types, and wildcards for their subtypes: `image/*,application/pdf`. */
export const parseTypes: Parse<readonly string[]> = (text) => {
  const patterns = text.split(',').map(parseTypePattern)
  const right = patterns.filter((pattern) => pattern !== null)
  return right.length === patterns.length ? right : WRONG
}

/** A TCP port; 0 asks the system for a free one. */
export const parsePort: Parse<number> = (text) =>
  /^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : WRONG

/** A switch. */
export const parseSwitch: Parse<boolean> = (text) => {
  if (['on', 'true', '1'].includes(text)) return true
  return ['off', 'false', '0'].includes(text) ? false : WRONG
}

/** Any text but an empty one. */
export const parseText: Parse<string> = (text) => (text.trim() === '' ? WRONG : text)

/** One of a few words. */
export function parseOneOf<const T extends string>(...words: readonly T[]): Parse<T> {
  return (text) => words.find((word) => word === text) ?? WRONG
}

/** What a check that throws lets through. */
export function parseChecked<T>(check: (text: string) => T): Parse<T> {
  return (text) => {
    try {
      return check(text)
    } catch {
      return WRONG
    }
  }
}

function scaled(pattern: RegExp, text: string, units: Readonly<Record<string, number>>): number | typeof WRONG {
  const [, digits = '', unit = ''] = pattern.exec(text) ?? []
  const value = digits === '' ? 0 : Number(digits) * (units[unit] ?? Number.NaN)
  return Number.isSafeInteger(value) && value > 0 ? value : WRONG
}
