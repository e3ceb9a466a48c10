import { parseArgs } from 'node:util'
import { ConfigurationError } from '../configuration-error.ts'
import type { Environment } from '../configuration.ts'

/** What `holdfast upload` is to do. */
export interface UploadCommand {
  readonly type: 'upload'
  /** Paths, as they were given. */
  readonly files: readonly string[]
  /** Address of the server, without the API's prefix. */
  readonly to: string
  readonly apiPrefix: string
  readonly token: string | null
  /** Chunks of a file at a time. */
  readonly parallel: number
  /** Media type of the files; empty for the server's default. */
  readonly contentType: string
  /** Whether the result is for a program. */
  readonly json: boolean
}

const OPTIONS = {
  to: { type: 'string' },
  'api-prefix': { type: 'string', default: '/api/v1/uploads' },
  token: { type: 'string' },
  parallel: { type: 'string', default: '3' },
  type: { type: 'string', default: '' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** Reads what comes after `upload`; null where help is asked for. @throws ConfigurationError in one line */
export function readUploadCommand(args: readonly string[], environment: Environment): UploadCommand | null {
  const { values, positionals } = parse(args)
  if (values.help) return null
  if (positionals.length === 0) throw new ConfigurationError('upload wants files: holdfast upload FILE… --to URL.')
  const to = values.to ?? environment['HOLDFAST_URL'] ?? ''
  if (to === '') throw new ConfigurationError('upload wants --to URL, the address of a server, or HOLDFAST_URL.')
  return {
    type: 'upload',
    files: positionals,
    to: address(to),
    apiPrefix: values['api-prefix'],
    token: values.token ?? (environment['HOLDFAST_TOKEN'] || null),
    parallel: parallelOf(values.parallel),
    contentType: values.type,
    json: values.json,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: true })
  } catch (error) {
    // Node's messages go on with advice that holds for positional arguments only.
    const [message] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new ConfigurationError(`${message?.replace(/\.$/, '')}. Try upload --help.`, { cause: error })
  }
}

function address(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') return url.href
  throw new ConfigurationError(
    `--to is ${JSON.stringify(text)}: allowed is an address such as https://uploads.example.com.`,
  )
}

function parallelOf(text: string): number {
  const parallel = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (parallel >= 1 && parallel <= 64) return parallel
  throw new ConfigurationError(`--parallel is ${JSON.stringify(text)}: allowed is 1 to 64.`)
}
