import type { Settings } from './settings.ts'

/** What the parts of the benchmark are given. */
export interface Context {
  readonly settings: Settings
  /** Path of a tusd, where there is one. */
  readonly tusd: string | undefined
  /** The command that starts nginx, where there is one. */
  readonly nginx: readonly string[] | undefined
  /** The folder that Ceph is unpacked in, where there is one. */
  readonly ceph: string | undefined
  /** The command that starts Redis, where there is one. */
  readonly redis: readonly string[] | undefined
}

/** Measures a part, and returns what the report says of it: Markdown. */
export type Part = (context: Context) => Promise<string>
