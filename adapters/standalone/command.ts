import { type Configuration, type Environment, readConfiguration, readVariable } from './configuration.ts'
import { ConfigurationError } from './configuration-error.ts'
import { type Flags, readFlags } from './flags.ts'
import { readUploadCommand, type UploadCommand } from './upload/upload-command.ts'

/** What the command line asks for. */
export type Command =
  | { readonly type: 'help' }
  | { readonly type: 'version' }
  | { readonly type: 'serve'; readonly configuration: Configuration }
  | { readonly type: 'sweep'; readonly dryRun: boolean; readonly configuration: Configuration }
  | { readonly type: 'inspect'; readonly id: string; readonly directory: string; readonly json: boolean }
  | UploadCommand
  | { readonly type: 'upload-help' }

/** Flags that go with `inspect`. */
const INSPECT_FLAGS: readonly string[] = ['data-dir', 'json']

/** Reads what is to be done. @throws ConfigurationError in one line that says what is wrong */
export function readCommand(args: readonly string[], environment: Environment): Command {
  // A client's command, with flags of its own.
  if (args[0] === 'upload') return readUploadCommand(args.slice(1), environment) ?? { type: 'upload-help' }
  const flags = readFlags(args)
  if (flags.values['help'] === true) return { type: 'help' }
  if (flags.values['version'] === true) return { type: 'version' }
  const [word, ...rest] = flags.positionals
  if (word === 'inspect') return inspectCommand(rest, flags, environment)
  if (word === 'sweep') return sweepCommand(rest, flags, environment)
  if (word !== undefined) throw new ConfigurationError(`There is no command ${JSON.stringify(word)}. Try --help.`)
  if (flags.values['json'] === true) throw new ConfigurationError('--json goes with inspect only. Try --help.')
  if (flags.values['dry-run'] === true) throw new ConfigurationError('--dry-run goes with sweep only. Try --help.')
  return { type: 'serve', configuration: readConfiguration(flags, environment) }
}

function sweepCommand(more: readonly string[], flags: Flags, environment: Environment): Command {
  if (more.length > 0 || flags.values['json'] === true) {
    const what = more[0] === undefined ? '--json' : JSON.stringify(more[0])
    throw new ConfigurationError(`${what} does not go with sweep. Try --help.`)
  }
  const dryRun = flags.values['dry-run'] === true
  return { type: 'sweep', dryRun, configuration: readConfiguration(flags, environment) }
}

function inspectCommand(ids: readonly string[], flags: Flags, environment: Environment): Command {
  const [id, ...more] = ids
  if (id === undefined || id === '' || more.length > 0) {
    throw new ConfigurationError('inspect wants one id: holdfast inspect ID [--data-dir DIR] [--json].')
  }
  const other = Object.keys(flags.values).find((flag) => !INSPECT_FLAGS.includes(flag))
  if (other !== undefined) throw new ConfigurationError(`--${other} does not go with inspect. Try --help.`)
  const json = flags.values['json'] === true
  return { type: 'inspect', id, directory: readVariable('DATA_DIR', flags, environment), json }
}
