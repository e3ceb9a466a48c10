import { parseArgs } from 'node:util'
import { ConfigurationError } from './configuration-error.ts'
import { flagOf } from './variable.ts'
import { VARIABLES } from './variables.ts'

/** What stands on the command line. */
export interface Flags {
  /** By flag, without the dashes. */
  readonly values: Readonly<Record<string, string | boolean | undefined>>
  readonly positionals: readonly string[]
}

/** Reads the command line. @throws ConfigurationError where it holds what there is not */
export function readFlags(args: readonly string[]): Flags {
  const named = Object.keys(VARIABLES).map((name) => [flagOf(name), { type: 'string' as const }])
  const options = {
    ...Object.fromEntries(named),
    json: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean' },
  }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, strict: true, allowPositionals: true })
    // Each is given once: none is declared `multiple`.
    return { values: values as Flags['values'], positionals }
  } catch (error) {
    // Node's messages go on with advice that holds for positional arguments only.
    const [message] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new ConfigurationError(`${message?.replace(/\.$/, '')}. Try --help.`, { cause: error })
  }
}
