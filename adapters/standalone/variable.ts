import type { Parse } from './parse-values.ts'

/** One variable of the server's configuration. Its flag has the same name in kebab case. */
export interface Variable<T> {
  /** The value where it is not set, as one would write it; null where there is none. */
  readonly default: string | null
  /** The default in words, where there is none to write. */
  readonly unset?: string
  /** What stands for the value in `--help`. */
  readonly value: string
  /** What may be written, for the line that refuses another value. */
  readonly allowed: string
  /** What it is for, for `--help`. */
  readonly about: string
  readonly parse: Parse<T>
  /** Whether it holds a secret: a line that refuses it does not show it. @default false */
  readonly secret?: boolean
}

/** A variable, with the type of its value and whether it has a default. */
export function variable<const D extends string | null, T>(
  facts: Variable<T> & { readonly default: D },
): Variable<T> & { readonly default: D } {
  return facts
}

/** The default of a variable as one reads it. */
export function defaultText({ default: fallback, unset }: Variable<unknown>): string {
  return fallback ?? unset ?? 'none'
}

/** The flag of a variable, without the dashes: `DATA_DIR` is `data-dir`. */
export function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}
