import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Where the names that snippets use freely are declared, and made. */
const SURROUNDINGS = join(ROOT, 'test/integration/snippets')
/** The port that documentation speaks of. */
const PORT = /\b1080\b/g

/** A fenced block of a Markdown file. */
export interface Snippet {
  /** First line of its code, from 1. */
  readonly line: number
  /** The file that it is put into, without its extension: no other has the same. */
  readonly file: string
  /** `js`, `ts`, `sh`. */
  readonly language: string
  readonly code: string
  /** Whether its fence says `check-only`: it is not run, as it needs a browser, or a service. */
  readonly checkOnly: boolean
}

/** Services that a snippet runs against, in the place of those it names. */
export interface SnippetServices {
  /** By the names in the documentation. */
  readonly names: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
}

/** A snippet that is running. */
export interface RunningSnippet {
  readonly child: ChildProcess
  /** What it has written so far. */
  output(): string
  /** Its exit code; null where a signal ended it. */
  ended(): Promise<number | null>
}

/** Fenced blocks of a Markdown file, which has this name, in the languages. */
export function readSnippets(name: string, markdown: string, languages: readonly string[]): Snippet[] {
  const snippets: Snippet[] = []
  for (const match of markdown.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)) {
    const [, language = '', words = '', code = ''] = match
    if (!languages.includes(language)) continue
    const line = markdown.slice(0, match.index).split('\n').length + 1
    const file = `${name.replaceAll(/\W/g, '-')}-line-${line}`
    snippets.push({ line, file, language, code, checkOnly: words.split(' ').includes('check-only') })
  }
  return snippets
}

/** The documents for people who use the project. */
export async function readDocuments(): Promise<readonly string[]> {
  const names = await readdir(join(ROOT, 'docs'))
  return ['README.md', ...names.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]
}

/** Reads a file of the project. */
export function readProjectFile(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8')
}

/**
 * Makes a folder as that of an application that has installed the package beside what its snippets import.
 */
export async function installSnippets(directory: string, snippets: readonly Snippet[]): Promise<void> {
  const modules = join(directory, 'node_modules')
  await mkdir(modules)
  const installed = join(ROOT, 'node_modules')
  const names = (await readdir(installed)).filter((name) => !name.startsWith('.'))
  await Promise.all(names.map((name) => symlink(join(installed, name), join(modules, name))))
  await symlink(ROOT, join(modules, 'holdfast'))
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  await writeFile(join(directory, 'globals.d.ts'), await readFile(join(SURROUNDINGS, 'globals.d.ts')))
  await writeFile(join(directory, 'globals.mjs'), await readFile(join(SURROUNDINGS, 'globals.mjs')))
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  await writeFile(join(directory, 'hello.txt'), 'hello')
  for (const { file, language, code } of snippets) {
    // A module of its own, also without an import: names at its top are nobody else's.
    await writeFile(join(directory, `${file}.${language}`), `${code}\nexport {}\n`)
  }
}

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    lib: ['es2023', 'dom'],
    types: ['node'],
    strict: true,
    allowJs: true,
    checkJs: true,
    skipLibCheck: true,
    rootDir: '.',
    outDir: 'out',
  },
  include: ['*-line-*', 'globals.d.ts'],
}

/** What the compiler says of the snippets in a folder: nothing where they are right. What it made of them is in `out`. */
export function compileSnippets(directory: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(join(ROOT, 'node_modules/.bin/tsc'), ['-p', directory], (_error, stdout, stderr) => {
      resolve(stdout + stderr)
    })
  })
}

/** Runs a compiled snippet in its folder, with another port, and other services, in the place of the documented ones. */
export async function runSnippet(
  directory: string,
  { file }: Snippet,
  port: number,
  { names, env }: SnippetServices = { names: {}, env: {} },
): Promise<RunningSnippet> {
  const compiled = join(directory, 'out', `${file}.js`)
  let code = (await readFile(compiled, 'utf8')).replace(PORT, String(port))
  for (const [documented, name] of Object.entries(names)) code = code.replaceAll(documented, name)
  await writeFile(compiled, code)
  return run(process.execPath, ['--import', join(directory, 'globals.mjs'), compiled], directory, env)
}

/** Runs a shell snippet in a folder, with another port in the place of the documented one. */
export function runShell(directory: string, { code }: Snippet, port: number): RunningSnippet {
  return run('bash', ['-euo', 'pipefail', '-c', code.replace(PORT, String(port))], directory)
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): RunningSnippet {
  const { PATH = '' } = process.env
  const child = spawn(command, args, { cwd, env: { PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
  const closed = once(child, 'close')
  return {
    child,
    output: () => output,
    ended: async () => {
      await closed
      return child.exitCode
    },
  }
}

/** A port that is free, as long as nobody else takes it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
