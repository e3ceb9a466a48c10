import { parseArgs } from 'node:util'
import { WRONG } from './parse-values.ts'
import { flagOf, VARIABLES, type Variable, type VariableName } from './variables.ts'

type ValueOf<V> = V extends Variable<infer T> & { readonly default: infer D } ? (D extends null ? T | null : T) : never

/** The configuration of the server, by the names of its variables. Sizes are bytes, durations ms. */
export type Configuration = { readonly [Name in VariableName]: ValueOf<(typeof VARIABLES)[Name]> }

/** What the command line asks for. */
export type Command =
  | { readonly type: 'help' }
  | { readonly type: 'version' }
  | { readonly type: 'serve'; readonly configuration: Configuration }

/** A start that is refused. The message is one line, for the operator. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/**
 * Reads flags and environment. A flag wins over its variable; a variable that is empty counts as not set, as compose
 * files pass them on.
 *
 * @throws ConfigurationError naming the variable, its value and what is allowed
 */
export function readCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Command {
  const flags = readFlags(args)
  if (flags['help'] === true) return { type: 'help' }
  if (flags['version'] === true) return { type: 'version' }
  const values = Object.entries<Variable<unknown>>(VARIABLES).map(([name, variable]) => {
    const flag = flags[flagOf(name)]
    const text = (typeof flag === 'string' ? flag : undefined) ?? (environment[name] || undefined) ?? variable.default
    return [name, text === null ? null : parseValue(name, variable, text)] as const
  })
  // The table gives every name its type; no type of TypeScript's follows a map over it.
  const configuration = Object.fromEntries(values) as Configuration
  checkTogether(configuration)
  return { type: 'serve', configuration }
}

function readFlags(args: readonly string[]): Readonly<Record<string, unknown>> {
  const named = Object.keys(VARIABLES).map((name) => [flagOf(name), { type: 'string' as const }])
  const options = { ...Object.fromEntries(named), help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } }
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    // Node's messages go on with advice that holds for positional arguments only.
    const [message] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new ConfigurationError(`${message}. Try --help.`, { cause: error })
  }
}

function parseValue<T>(name: string, { allowed, parse }: Variable<T>, text: string): T {
  const value = parse(text)
  if (value === WRONG) throw wrong(name, text, allowed)
  return value
}

function checkTogether(configuration: Configuration): void {
  const { HOST, AUTH, CORS_ORIGINS, CORS_CREDENTIALS, TUS_PATH, API_PREFIX } = configuration
  if (AUTH === null && !isLoopback(HOST)) {
    throw new ConfigurationError(
      `AUTH is not set and HOST is '${HOST}': allowed without AUTH is a loopback host such as 127.0.0.1; AUTH=none lets anybody who reaches the server upload.`,
    )
  }
  if (CORS_CREDENTIALS && typeof CORS_ORIGINS === 'string') {
    throw wrong('CORS_CREDENTIALS', 'on', `off, unless CORS_ORIGINS names origins; it is '${CORS_ORIGINS}'`)
  }
  if (TUS_PATH === API_PREFIX) throw wrong('API_PREFIX', API_PREFIX, 'a path other than TUS_PATH')
}

function wrong(name: string, text: string, allowed: string): ConfigurationError {
  return new ConfigurationError(`${name} is ${JSON.stringify(text)}: allowed is ${allowed}.`)
}

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(host)
}
