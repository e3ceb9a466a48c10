import { parseArgs } from 'node:util'
import type { Chapter } from './check.ts'
import type { RunOptions } from './run.ts'

/** What is printed for `--help`. */
export const USAGE = `holdfast-conformance URL [options]

Sends raw HTTP requests to a tus server and says PASS, FAIL, WARN or ABSENT for each sentence of tus 1.0.0.
URL is where uploads are created: http://127.0.0.1:1080/files

  --header 'Name: value'   sent with every request, such as Authorization; may be repeated
  --only CHAPTER           only these checks, such as HEAD or concatenation; may be repeated
  --concurrency N          checks at a time (4)
  --timeout SECONDS        for each check (20)
  --json                   for programs
  --help

PASS    the server does what the sentence says
FAIL    it breaks a MUST, or advertises an extension that does not work; the exit code is then 1
WARN    it breaks a SHOULD or a MAY, or something that browsers need beyond the specification
ABSENT  the extension is not advertised, or the sentence is about something that cannot be seen on this server
`

interface Asked extends RunOptions {
  readonly json: boolean
}

/** Reads the command line. @throws TypeError saying what is wrong with it */
export function readArguments(args: readonly string[], chapters: readonly Chapter[]): Asked | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      header: { type: 'string', multiple: true },
      only: { type: 'string', multiple: true },
      concurrency: { type: 'string' },
      timeout: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) return 'help'
  const [url, ...more] = positionals
  if (url === undefined || more.length > 0) throw new TypeError('it wants one URL. Try --help.')
  const { concurrency, timeout } = values
  return {
    endpoint: parseEndpoint(url),
    headers: Object.fromEntries((values.header ?? []).map(parseHeader)),
    chapters: choose(values.only ?? [], chapters),
    json: values.json === true,
    ...(concurrency === undefined ? {} : { concurrency: parseCount('concurrency', concurrency) }),
    ...(timeout === undefined ? {} : { timeoutMs: parseCount('timeout', timeout) * 1000 }),
  }
}

function parseEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && /^https?:$/.test(url.protocol)) return url
  throw new TypeError(`${text} is not an http or https URL.`)
}

function parseHeader(line: string): [name: string, value: string] {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):\s*(.*)$/.exec(line) ?? []
  if (name === undefined || value === undefined)
    throw new TypeError(`--header ${line} is not of the form 'Name: value'.`)
  return [name, value]
}

function choose(names: readonly string[], chapters: readonly Chapter[]): readonly Chapter[] {
  if (names.length === 0) return chapters
  return names.map((name) => {
    const chapter = chapters.find((one) => one.name.toLowerCase() === name.toLowerCase())
    if (chapter !== undefined) return chapter
    throw new TypeError(`there is no chapter ${name}; there are ${chapters.map((one) => one.name).join(', ')}.`)
  })
}

function parseCount(option: string, text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new TypeError(`--${option} must be a whole number above 0; it is ${text}.`)
}
