import { defaultText, flagOf, type Variable } from './variable.ts'
import { SECTIONS } from './variables.ts'

/** Width of a line, in characters. */
const WIDTH = 100
/** Where what is said of a flag begins. */
const COLUMN = 34

/** What `--help` prints. */
export function helpText(): string {
  return [
    'holdfast: a resumable upload server. tus 1.0 and a JSON chunk API over one core.',
    '',
    'Usage:',
    '  holdfast [flags]',
    '      serves uploads until SIGTERM or SIGINT',
    '  holdfast inspect ID [--data-dir DIR] [--json]',
    '      prints what the disk holds of an upload, also while a server runs on it, and changes nothing',
    '  holdfast upload FILE… --to URL',
    '      uploads files to a server, and goes on with them when it is run again; upload --help says more',
    '  holdfast sweep [--dry-run] [flags]',
    '      does once what servers do hourly (complete, expire, delete, tell), or only says what',
    '',
    'Each flag with a value is an environment variable as well: --data-dir is DATA_DIR. The flag wins.',
    'SIZE is such as 5MiB, 50GiB or 1000; DURATION such as 500ms, 90s, 15m, 24h or 7d.',
    ...SECTIONS.flatMap(({ title, variables }) => ['', `${title}:`, ...Object.entries(variables).map(rowOf)]),
    '',
    'Other:',
    row('--json', ['of inspect: prints JSON']),
    row('--dry-run', ['of sweep: changes nothing']),
    row('-h, --help', ['prints this']),
    row('--version', ['prints the version']),
    '',
  ].join('\n')
}

function rowOf([name, variable]: readonly [string, Variable<unknown>]): string {
  const words = [...variable.about.split(' '), `[default: ${defaultText(variable)}]`]
  return row(`--${flagOf(name)} ${variable.value}`, words)
}

function row(left: string, words: readonly string[]): string {
  const [first = '', ...more] = wrap(words)
  return [`  ${left}`.padEnd(COLUMN) + first, ...more.map((line) => ' '.repeat(COLUMN) + line)].join('\n')
}

function wrap(words: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (const word of words) {
    const line = lines.at(-1)
    if (line !== undefined && COLUMN + line.length + 1 + word.length <= WIDTH)
      lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines
}
