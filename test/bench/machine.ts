import { execFile } from 'node:child_process'
import { readFile, realpath } from 'node:fs/promises'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PROJECT_ROOT } from '../support/services/project-root.ts'
import { unpackedCommand } from '../support/services/debian-packages.ts'
import type { Context } from './context.ts'
import { tusdVersion } from './subjects/tusd.ts'

const GIB = 1024 ** 3
const PACKAGES = ['@tus/server', '@tus/file-store', '@tus/s3-store', '@aws-sdk/lib-storage'] as const

/** What the figures were measured on: Markdown. */
export async function machineText(): Promise<string> {
  const [first] = cpus()
  return [
    `- ${cpus().length} × ${first?.model.trim()}, ${Math.round(totalmem() / GIB)} GiB of memory, Linux ${release()}, Node ${process.version}`,
    `- files in ${await fileSystemOf(await realpath(tmpdir()))}, where the page cache takes what is written`,
  ].join('\n')
}

/** What was measured, with its version: Markdown. */
export async function subjectsText({ tusd, nginx, ceph }: Context): Promise<string> {
  const known = await Promise.all(PACKAGES.map(async (name) => `${name} ${await versionOf(name)}`))
  return [
    `- Holdfast ${await commit()}`,
    `- ${known.join(', ')}`,
    tusd === undefined
      ? '- no tusd: there was none on the PATH, and TUSD named none. Nothing is said about it'
      : `- tusd ${await tusdVersion(tusd)}, with nothing but where to listen and where to keep bytes, and the size of parts on S3: no hooks`,
    nginx === undefined ? '- no nginx' : `- ${await firstLine([...nginx, '-v'])}, WebDAV’s PUT, a worker for each core`,
    ceph === undefined
      ? '- no S3'
      : `- S3: ${(await firstLine([...(await unpackedCommand(ceph, 'usr/bin/radosgw')), '--version'])).replace(/ \([0-9a-f]{20,}\)/, '')}, on the same machine, in memory`,
  ].join('\n')
}

async function versionOf(name: string): Promise<string> {
  const text = await readFile(join(PROJECT_ROOT, 'node_modules', name, 'package.json'), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

async function commit(): Promise<string> {
  const git = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)('git', args, { cwd: PROJECT_ROOT })).stdout.trim()
  try {
    const [at, changes] = [
      await git('rev-parse', '--short', 'HEAD'),
      await git('status', '--porcelain', 'src', 'adapters'),
    ]
    return changes === '' ? `at ${at}` : `at ${at}, with changes that are not committed`
  } catch {
    return 'of no known commit'
  }
}

async function firstLine([file = '', ...args]: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(file, args)
  return (stdout + stderr).split('\n', 1)[0] ?? ''
}

/** `ext4 on /dev/vda`: the mount that a path is below. */
async function fileSystemOf(path: string): Promise<string> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).trim().split('\n')
  const above = mounts
    .map((line) => line.split(' '))
    .filter(([, at = '']) => at === '/' || path === at || path.startsWith(`${at}/`))
    .toSorted(([, a = ''], [, b = '']) => b.length - a.length)
  const [device = '?', , type = '?'] = above[0] ?? []
  return `${tmpdir()}: ${type} on ${device}`
}
