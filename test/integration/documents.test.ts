import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
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
const others = ['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'RUNBOOK.md', 'SECURITY.md']
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

it('docs/tus.md has the extensions that are advertised, and no others', async () => {
  const documented = [...(textOf('docs/tus.md') ?? '').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name)
  const server = new TusServer({ path: '/files', datastore: new FileStorage({ directory: await tempDir() }) })
  onTestFinished(() => server.close())
  const url = await listen((request, response) => server.handle(request, response))
  const { headers } = await fetch(`${url}/files`, { method: 'OPTIONS' })
  expect(documented).toEqual(headers.get('tus-extension')?.split(','))
})
