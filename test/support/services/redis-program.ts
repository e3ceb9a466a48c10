import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type DebianPackages, unpacked, unpackedCommand } from './debian-packages.ts'
import { searchPath } from './search-path.ts'
import { ServiceMissing } from './service-missing.ts'
import type { Whereabouts } from './whereabouts.ts'

/** The first that can put its cluster bus on a port of its own. */
const OLDEST = 7

const VALKEY: DebianPackages = {
  name: 'valkey-trixie',
  title: 'Redis (valkey-server, 10 MB)',
  suite: 'trixie',
  packages: ['valkey-server'],
  without: `
    adduser coreutils debconf init-system libdebconf libdb5 libpam libperl libsemanage libsepol libsystemd-shared
    login lsb-base passwd perl procps sensible systemd tzdata util-linux
  `,
  program: 'usr/bin/valkey-server',
}

/** The command that starts a Redis: of the PATH, else of the cache, which is filled on first use. */
export async function findRedis(where: Whereabouts): Promise<readonly string[]> {
  for (const path of searchPath(['redis-server', 'valkey-server'], where.env)) {
    if ((await majorVersion(path)) >= OLDEST) return [path]
  }
  try {
    return await unpackedCommand(await unpacked(VALKEY, where), VALKEY.program)
  } catch (error) {
    throw new ServiceMissing(
      'Redis',
      `there is no redis-server or valkey-server ${OLDEST} or newer on the PATH, and ${(error as Error).message}`,
      'install redis-server, or set TEST_REDIS_URL=redis://… (tests that stop their Redis need redis-server all the same)',
    )
  }
}

async function majorVersion(path: string): Promise<number> {
  const told = await promisify(execFile)(path, ['--version']).catch(() => ({ stdout: '' }))
  return Number(/ v=(\d+)\./.exec(told.stdout)?.[1] ?? 0)
}
