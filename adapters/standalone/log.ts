import { pino, type Logger } from 'pino'
import type { Configuration } from './configuration.ts'
import { WITHOUT_SECRETS } from './log-secrets.ts'
import { prettyLine } from './pretty-line.ts'

/**
 * Makes the log on standard output, or where it is told to, as JSON or for people's eyes. Every line is written before the
 * call returns.
 */
export function createLog(
  { LOG_LEVEL, LOG_FORMAT }: Pick<Configuration, 'LOG_LEVEL' | 'LOG_FORMAT'>,
  descriptor: 1 | 2 = 1,
): Logger {
  const output = pino.destination({ dest: descriptor, sync: true })
  const options = { level: LOG_LEVEL, ...WITHOUT_SECRETS }
  if ((LOG_FORMAT ?? (process.stdout.isTTY ? 'pretty' : 'json')) === 'json') return pino(options, output)
  // https://no-color.org
  const color = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === ''
  const write = (line: string): void => void output.write(prettyLine(line, color))
  return pino({ ...options, base: null }, { write })
}
