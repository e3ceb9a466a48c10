import type { Session } from './session.ts'

/** The extensions of tus 1.0.0, by their names in `Tus-Extension`. */
type Extension =
  | 'creation'
  | 'creation-with-upload'
  | 'creation-defer-length'
  | 'expiration'
  | 'termination'
  | 'checksum'
  | 'checksum-trailer'
  | 'concatenation'
  | 'concatenation-unfinished'

/**
 * How binding a sentence is. What is a MUST fails; a SHOULD and a MAY that is not followed is a warning. So is what browsers
 * need beyond the specification, which says nothing of it.
 */
export type Level = 'MUST' | 'SHOULD' | 'MAY' | 'BROWSER'

/** One thing that a sentence says, and how it is seen. */
export interface Check {
  /** What the server does, in the present tense. Unique in its chapter. */
  readonly title: string
  readonly level: Level
  /** The sentence, word for word: of tus 1.0.0, or for browsers of the Fetch Standard. */
  readonly quote: string
  /** What must be advertised beside the chapter's own extension. */
  readonly needs?: readonly Extension[]
  /** @throws Violation, Absent; anything else is a violation too */
  readonly run: (tus: Session) => Promise<void>
}

/** The checks of one verb or one extension. */
export interface Chapter {
  readonly name: string
  /** What must be advertised for them to apply; null for the core protocol. */
  readonly extension: Extension | null
  readonly checks: readonly Check[]
}

/** The server does not do what the sentence says. */
export class Violation extends Error {}

/** The sentence is about something that this server does not offer, or that cannot be seen here. */
export class Absent extends Error {}

/** @throws Violation with what was seen instead */
export function must(condition: boolean, seen: string): asserts condition {
  if (!condition) throw new Violation(seen)
}

/** @throws Absent with the reason */
export function given(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Absent(reason)
}
