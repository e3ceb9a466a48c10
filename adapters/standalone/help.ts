import { flagOf, VARIABLES, type Variable } from './variables.ts'

/** What `--help` prints. */
export function helpText(): string {
  const rows = Object.entries<Variable<unknown>>(VARIABLES).map(([name, { about, allowed, default: fallback }]) =>
    [
      `  --${flagOf(name)}, ${name}`,
      `      ${about}`,
      `      ${fallback === null ? 'not set by default' : `default ${fallback}`}; ${allowed}`,
    ].join('\n'),
  )
  return [
    'holdfast: a resumable upload server. tus 1.0 and a JSON chunk API over one core.',
    '',
    'Usage: holdfast [flags]',
    '',
    'Every setting is a flag or an environment variable; the flag wins.',
    '',
    ...rows,
    '',
    '  --help, -h',
    '      prints this',
    '  --version',
    '      prints the version',
    '',
  ].join('\n')
}
