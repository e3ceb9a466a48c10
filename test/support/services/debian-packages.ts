import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { isRunning } from './mortal-process.ts'
import { PROJECT_ROOT } from './project-root.ts'
import { searchPath } from './search-path.ts'
import type { Whereabouts } from './whereabouts.ts'

const FETCH = join(PROJECT_ROOT, 'test/support/services/fetch-debs.sh')
const NEEDED = ['bash', 'apt-get', 'apt-config', 'dpkg-deb', 'tar']
/** A link of 4 Mbit/s gets Ceph in this time. */
const PATIENCE_MS = 300_000

/** Packages that are unpacked into the cache, to be run from there. */
export interface DebianPackages {
  /** The folder in the cache. */
  readonly name: string
  /** What the line that tells of the fetch calls it. */
  readonly title: string
  readonly suite: string
  readonly packages: readonly string[]
  /** Dependencies that a server in the foreground gets by without, by how their names begin; white space between. */
  readonly without: string
  /** A program that is there when all is: its path in the packages. */
  readonly program: string
}

const fetching = new Map<string, Promise<string>>()

/**
 * The folder that the packages are unpacked in, which is filled first where it is not there. Rejects where it cannot be.
 *
 * It is filled under another name and then renamed, so that it is whole whenever it is there: of two runs that fill it
 * at the same time, the first one's is kept.
 */
export function unpacked(packages: DebianPackages, { env, cache }: Whereabouts): Promise<string> {
  const folder = join(cache, packages.name)
  const known = fetching.get(folder)
  if (known !== undefined) return known
  const root = isThere(folder, packages) ? Promise.resolve(join(folder, 'root')) : fill(folder, packages, env)
  fetching.set(folder, root)
  return root
}

/** A program of {@link unpacked} packages, by its path in them, run by the packages' own loader with their own libraries. */
export async function unpackedCommand(root: string, program: string): Promise<readonly string[]> {
  const { loader, libraries } = await unpackedLibraries(root)
  const path = [libraries, join(libraries, 'ceph')].join(':')
  return [loader, '--argv0', basename(program), '--library-path', path, join(root, program)]
}

/** Where {@link unpacked} packages have their libraries, and what loads them. */
export async function unpackedLibraries(
  root: string,
): Promise<{ readonly loader: string; readonly libraries: string }> {
  const triplet = (await readdir(join(root, 'usr/lib'))).find((name) => name.endsWith('-linux-gnu'))
  const libraries = join(root, 'usr/lib', triplet ?? '')
  const loader = (await readdir(libraries)).find((name) => /^ld-linux.*\.so\.\d+$/.test(name))
  return { loader: join(libraries, loader ?? ''), libraries }
}

async function fill(folder: string, packages: DebianPackages, env: NodeJS.ProcessEnv): Promise<string> {
  const lacking = NEEDED.filter((name) => searchPath([name], env).length === 0)
  if (lacking.length > 0) throw new Error(`this is no Debian-like system: there is no ${lacking.join(', no ')}`)

  const { title, suite, without } = packages
  const shown = relative(PROJECT_ROOT, folder)
  process.stderr.write(`Fetching ${title} from Debian ${suite} into ${shown}, once: tests run against it.\n`)
  const partial = `${folder}.partial-${process.pid}`
  await mkdir(partial, { recursive: true })
  await sweep(folder)
  try {
    const args = [FETCH, partial, suite, packages.packages.join(' '), `^(${without.trim().replaceAll(/\s+/g, '|')})`]
    await promisify(execFile)('bash', args, { env, timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
    if (!isThere(partial, packages)) throw new Error(`Debian's packages hold no ${packages.program} any more`)
    await rename(partial, folder).catch((error: unknown) => {
      if (!isThere(folder, packages)) throw error
    })
  } catch (error) {
    const { stderr = '', killed = false } = error as { readonly stderr?: string; readonly killed?: boolean }
    const why = killed ? `it took more than ${PATIENCE_MS / 1000} s` : stderr.trim() || String(error)
    throw new Error(`${title} could not be fetched from Debian: ${why}`, { cause: error })
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  return join(folder, 'root')
}

function isThere(folder: string, { program }: DebianPackages): boolean {
  return existsSync(join(folder, 'root', program))
}

/** Removes what runs left that were killed while they fetched. */
async function sweep(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.partial-`
  const cache = join(folder, '..')
  for (const name of await readdir(cache)) {
    if (!name.startsWith(prefix) || isRunning(Number(name.slice(prefix.length)))) continue
    await rm(join(cache, name), { recursive: true, force: true })
  }
}
