import type { Weather } from './fault-chance.ts'
import type { Phase } from './phases.ts'

/** What a server process is started with, as JSON in its environment. */
export interface NodeFaults {
  /** Folder whose files may fail. */
  readonly directory: string
  readonly seed: number
  /** How far its clock is off, ms. */
  readonly skewMs: number
  /** Whether its locks keep nobody out. */
  readonly isUnlocked: boolean
}

/** What it is told while it runs. */
export type NodeOrder =
  | { readonly weather: Weather }
  /** How far uploads are. */
  | { readonly phases: readonly (readonly [id: string, phase: Phase])[] }
  /** How often calls have failed, by cell. */
  | { readonly counts: readonly (readonly [cell: string, count: number])[] }

/** What it tells: a call on a file that it has made fail. */
export interface NodeNews {
  readonly call: string
  readonly phase: Phase
  readonly when: 'before' | 'after'
  readonly code: string
}

/** The variable that {@link NodeFaults} is in. */
export const FAULTS_VARIABLE = 'HOLDFAST_TEST_FAULTS'
