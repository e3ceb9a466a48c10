import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type DebianPackages, unpacked, unpackedCommand } from './debian-packages.ts'
import { searchPath } from './search-path.ts'
import { ServiceMissing } from './service-missing.ts'
import type { Whereabouts } from './whereabouts.ts'

/** The first that knows `http2 on`. */
const OLDEST = [1, 25, 1] as const

const NGINX: DebianPackages = {
  name: 'nginx-openssl-trixie',
  title: 'nginx and openssl (5 MB)',
  suite: 'trixie',
  packages: ['nginx', 'openssl'],
  without: `
    adduser coreutils debconf init-system iproute libaudit libbpf libcap libdb5 libdebconf libelf libmnl libnftables
    libpam libperl libsemanage libsepol libsystemd-shared libtirpc libxtables login lsb-base nginx-common passwd perl
    procps sensible systemd tzdata util-linux
  `,
  program: 'usr/sbin/nginx',
}

/** What starts an nginx, and what makes a certificate for it. */
export interface NginxCommands {
  readonly nginx: readonly string[]
  readonly openssl: readonly string[]
}

/** Commands of the PATH, else of the cache, which is filled on first use. */
export async function findNginx(where: Whereabouts): Promise<NginxCommands> {
  const [openssl] = searchPath(['openssl'], where.env)
  for (const path of searchPath(['nginx'], where.env)) {
    if (openssl !== undefined && isNewEnough(await versionOf(path))) return { nginx: [path], openssl: [openssl] }
  }
  try {
    const root = await unpacked(NGINX, where)
    return {
      nginx: await unpackedCommand(root, NGINX.program),
      openssl: openssl === undefined ? await unpackedCommand(root, 'usr/bin/openssl') : [openssl],
    }
  } catch (error) {
    throw new ServiceMissing(
      'nginx',
      `there is no nginx ${OLDEST.join('.')} or newer with an openssl on the PATH, and ${(error as Error).message}`,
      'install nginx and openssl',
    )
  }
}

async function versionOf(path: string): Promise<readonly number[]> {
  const told = await promisify(execFile)(path, ['-v']).catch(() => ({ stderr: '' }))
  return (/nginx\/(\d+)\.(\d+)\.(\d+)/.exec(told.stderr) ?? []).slice(1).map(Number)
}

function isNewEnough(version: readonly number[]): boolean {
  const rank = ([major = 0, minor = 0, patch = 0]: readonly number[]): number => (major * 1000 + minor) * 1000 + patch
  return rank(version) >= rank(OLDEST)
}
