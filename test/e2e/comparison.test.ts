import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chapters } from '../conformance/chapters.ts'
import type { Finding } from '../conformance/run.ts'
import { conformanceOf } from '../support/conformance.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { type StockTus, startStockTus } from '../support/stock-tus.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const README = fileURLToPath(new URL('../../README.md', import.meta.url))
const TABLE = /(?<=<!-- npm run conformance:table -->\n)[^]*(?=<!-- end of the table -->)/

/**
 * What a stock @tus/server with its file store does otherwise than tus 1.0.0 says. Where this changes upstream has moved:
 * see what it means for the face that stands on it.
 */
const STOCK: readonly string[] = [
  'FAIL Tus-Resumable: answers POST of version 0.0.9 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers POST of version 1.0 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers POST of version 1.0.0.0 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers HEAD of version 0.0.9 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers HEAD of version 1.0 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers HEAD of version 1.0.0.0 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers PATCH of version 0.0.9 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers PATCH of version 1.0 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers PATCH of version 1.0.0.0 with 412 and Tus-Version',
  'FAIL Tus-Resumable: answers DELETE of another version with 412 and Tus-Version',
  'FAIL X-HTTP-Method-Override: takes a POST for the PATCH that it means',
  'FAIL X-HTTP-Method-Override: takes a PUT for the PATCH that it means',
  'FAIL X-HTTP-Method-Override: takes a POST for the DELETE that it means',
  'FAIL X-HTTP-Method-Override: takes a POST for the HEAD that it means',
  'FAIL X-HTTP-Method-Override: takes a GET for the HEAD that it means',
  'FAIL X-HTTP-Method-Override: takes a PATCH for the POST that it means',
  'FAIL X-HTTP-Method-Override: takes a GET for the OPTIONS that it means',
  'WARN PATCH: answers 415 to a PATCH of type application/octet-stream',
  'WARN PATCH: answers 415 to a PATCH of type text/plain',
  'WARN PATCH: answers 415 to a PATCH without a type',
  'FAIL creation: tells metadata that is no text',
  'FAIL creation: tells keys that are names of object properties',
  'WARN creation-with-upload: answers 415 to a body of another type',
  'FAIL expiration: says the expiry in its answer to a PATCH at a wrong offset',
  'FAIL expiration: says the expiry in its answer to a PATCH of another type',
  'WARN CORS: lets pages send x-request-id',
  'WARN CORS: lets pages read upload-expires',
]

/** A server, by the name of its column. */
type Column = readonly [name: string, findings: readonly Finding[]]

async function versionOf(name: string): Promise<string> {
  const text = await readFile(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  return `${name} ${version}`
}

/** Servers that are running elsewhere: `CONFORMANCE_SERVERS='tusd 2.8=http://127.0.0.1:8080/files/, …'`. */
function otherServers(): [name: string, endpoint: URL][] {
  const { CONFORMANCE_SERVERS = '' } = process.env
  const entries = CONFORMANCE_SERVERS.split(',').filter((entry) => entry.trim() !== '')
  return entries.map((entry) => {
    const [name = '', ...address] = entry.trim().split('=')
    return [name, new URL(address.join('='))]
  })
}

/** How many of the sentences that apply a server holds to, for each chapter. */
function cells([, findings]: Column): string[] {
  return chapters.map(({ name }) => {
    const applying = findings.filter(({ chapter, verdict }) => chapter === name && verdict !== 'ABSENT')
    const held = applying.filter(({ verdict }) => verdict === 'PASS')
    return applying.length === 0 ? '–' : `${held.length} of ${applying.length}`
  })
}

function tableOf(columns: readonly Column[]): string {
  const names = ['', ...columns.map(([name]) => name)]
  const rows = [names, names.map(() => '---'), ...bodyOf(columns)]
  return rows.map((row) => `| ${row.join(' | ')} |\n`).join('')
}

function bodyOf(columns: readonly Column[]): string[][] {
  const all = columns.map(cells)
  return chapters.map(({ name }, at) => [name, ...all.map((column) => column[at] ?? '')])
}

/** The cells of README's columns, by their names. */
function readTable(markdown: string): Map<string, string[]> {
  const lines = (TABLE.exec(markdown)?.[0] ?? '').trim().split('\n')
  const rows = lines.map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(2, -1),
  )
  const [names = [], , ...body] = rows
  return new Map(names.map((name, at) => [name, body.map((row) => row[at] ?? '')]))
}

describe('The conformance suite', { timeout: 180_000 }, () => {
  let server: ServerProcess
  let stock: StockTus
  let ours: Column
  let theirs: Column

  beforeAll(async () => {
    server = await startServerProcess(await makeTempDir(), { MAX_FILE_SIZE: '1TiB' })
    stock = await startStockTus(await makeTempDir())
    ours = ['Holdfast', await conformanceOf(new URL(`${server.url}/files`))]
    const name = (await Promise.all(['@tus/server', '@tus/file-store'].map(versionOf))).join(', ')
    theirs = [name, await conformanceOf(stock.endpoint)]
  }, 120_000)

  afterAll(async () => {
    await server.kill()
    await stock.stop()
  })

  it('finds what a stock @tus/server does otherwise, and nothing else', () => {
    const [, findings] = theirs
    const wrong = findings.filter(({ verdict }) => verdict === 'FAIL' || verdict === 'WARN')
    expect(wrong.map(({ verdict, chapter, title }) => `${verdict} ${chapter}: ${title}`)).toEqual(STOCK)
  })

  it('finds what the table in README says', async () => {
    const readme = await readFile(README, 'utf8')
    if (process.env['CONFORMANCE_TABLE'] === 'write') {
      const others: Column[] = []
      for (const [name, endpoint] of otherServers()) others.push([name, await conformanceOf(endpoint)])
      await writeFile(README, readme.replace(TABLE, `\n${tableOf([ours, theirs, ...others])}\n`))
      return
    }
    const table = readTable(readme)
    for (const column of [ours, theirs]) expect(table.get(column[0]), column[0]).toEqual(cells(column))
  })
})
