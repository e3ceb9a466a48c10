import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import { EVENTS } from '@tus/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TusServer } from '../../adapters/tus/index.ts'
import { VARIABLES } from '../../adapters/standalone/variables.ts'
import { flagOf } from '../../adapters/standalone/variable.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { listen } from '../support/listen.ts'
import { PROJECT_ROOT } from '../support/services/project-root.ts'
import { readDocuments, readProjectFile, readSnippets } from '../support/snippets.ts'
import { tempDir } from '../support/temp-dir.ts'

const run = promisify(execFile)
const others = ['ARCHITECTURE.md', 'BENCHMARKS.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'RUNBOOK.md', 'SECURITY.md']
const examples = (await readdir(join(PROJECT_ROOT, 'examples')))
  .map((name) => `examples/${name}/README.md`)
  .filter((name) => existsSync(join(PROJECT_ROOT, name)))
const pages = await Promise.all(
  [...(await readDocuments()), ...others, ...examples].map(async (name) => ({
    name,
    text: await readProjectFile(name),
  })),
)
const textOf = (name: string): string | undefined => pages.find((page) => page.name === name)?.text

/** What GitHub makes of a heading. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

describe.each(pages)('$name', ({ name, text }) => {
  it('links to what is there', () => {
    const prose = text.replaceAll(/^```.*?^```$/gms, '')
    const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    for (const link of links.filter((one) => !/^https?:/.test(one))) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? name : posix.join(posix.dirname(name), path)
      expect(existsSync(join(PROJECT_ROOT, target)), `${link} in ${name}`).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(textOf(target) ?? ''), `${link} in ${name}`).toContain(anchor)
    }
  })

  it('has commands that a shell understands, and JSON that is some', async () => {
    for (const { code } of readSnippets(name, text, ['sh'])) await run('bash', ['-n', '-c', code])
    for (const { code } of readSnippets(name, text, ['json'])) JSON.parse(code)
  })

  it('starts the server with variables and flags that it knows', () => {
    const known = new Set([...Object.keys(VARIABLES), ...Object.keys(VARIABLES).map((one) => `--${flagOf(one)}`)])
    for (const { code } of readSnippets(name, text, ['sh'])) {
      for (const line of code.split('\n').filter((one) => /\bnpm start\b/.test(one))) {
        const [before = '', after = ''] = line.replace(/\s#.*$/, '').split('npm start')
        const named = [...before.matchAll(/\b([A-Z0-9_]+)=/g), ...after.matchAll(/(--[a-z][a-z0-9-]*)/g)]
        for (const [, one = ''] of named.filter(([, one = '']) => !one.startsWith('AWS_'))) expect(known).toContain(one)
      }
    }
  })
})

/** Names in the first column of the first table below a heading. */
function namesIn(page: string, heading: string): string[] {
  const [, section = ''] = (textOf(page) ?? '').split(`\n${heading}\n`)
  const [table = ''] = section.split(/\n#+ /)
  const rows = table.split('\n').filter((line) => line.startsWith('| `'))
  return rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`(\w+)`/g)].map(([, name = '']) => name))
}

/** Names of the fields of an interface, or of a type, of which the declarations are these. */
async function fieldsOf(path: string, declaration: string): Promise<string[]> {
  const [, body = ''] = (await readProjectFile(path)).split(declaration)
  const [fields = ''] = body.split('\n}')
  const found = [...fields.matchAll(/^( +)(?:readonly )?(\w+)\??: /gm)]
  // Not those of what they are made of.
  return found.flatMap(([, indent, name = '']) => (indent === found[0]?.[1] ? [name] : []))
}

it("docs/clients.md has the client's options, and no others", async () => {
  const options = await fieldsOf('adapters/client/options.ts', 'export interface ResumableUploaderOptions {')
  expect(namesIn('docs/clients.md', "## Holdfast's own client").toSorted(byName)).toEqual(options.toSorted(byName))
})

it('docs/from-tus-server.md has the options and events of @tus/server, and no others', async () => {
  const types = 'node_modules/@tus/server/dist/types.d.ts'
  const options = await fieldsOf(types, 'export type ServerOptions = {')
  // The store is the second of two arguments to its type.
  const documented = namesIn('docs/from-tus-server.md', '## Options').filter((name) => name !== 'datastore')
  expect(documented.toSorted(byName)).toEqual(options.toSorted(byName))
  expect(namesIn('docs/from-tus-server.md', '## Events')).toEqual(Object.keys(EVENTS))
})

function byName(a: string, b: string): number {
  return a.localeCompare(b)
}

it('docs/tus.md has the extensions that are advertised, and no others', async () => {
  const documented = [...(textOf('docs/tus.md') ?? '').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name)
  const server = new TusServer({ path: '/files', datastore: new FileStorage({ directory: await tempDir() }) })
  onTestFinished(() => server.close())
  const url = await listen((request, response) => server.handle(request, response))
  const { headers } = await fetch(`${url}/files`, { method: 'OPTIONS' })
  expect(documented).toEqual(headers.get('tus-extension')?.split(','))
})
