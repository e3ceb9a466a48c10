/**
 * Ceph's S3 gateway over one monitor and one object store that keeps all in memory, on loopback, as any user.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { unpackedCommand, unpackedLibraries } from './debian-packages.ts'
import { freePort, isFree } from './free-port.ts'
import { type MortalProcess, mortalFolder, removeFolder, startMortal } from './mortal-process.ts'
import type { S3Service } from './s3-service.ts'

const HOST = '127.0.0.1'
const CREDENTIALS = { accessKeyId: 'AKTEST', secretAccessKey: 'secretsecret' }
/** The oldest release that may join; without it, the first start is one of an upgrade. */
const OLDEST = ['--set-min-mon-release', '20']
const TOOL_MS = 60_000
const READY_MS = 30_000
/** Another may take a port between the search for one and the start. */
const ATTEMPTS = 2

export interface CephServer {
  readonly service: S3Service
  /** Its processes. */
  readonly pids: readonly number[]
  running(): boolean
  stop(): Promise<void>
}

/** Starts what {@link findCeph} found, and waits until it answers. */
export async function startCeph(root: string, preferredPort?: number): Promise<CephServer> {
  if (preferredPort !== undefined && (await isFree(preferredPort))) return startOn(preferredPort, root)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(await freePort(), root)
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
    }
  }
}

async function startOn(port: number, root: string): Promise<CephServer> {
  const folder = await mortalFolder('ceph')
  const monitorPort = await freePort()
  const monitor = `v2:${HOST}:${monitorPort}`
  const env = { ...process.env, CEPH_CONF: join(folder, 'ceph.conf') }
  const servers: MortalProcess[] = []

  async function tool(program: string, ...args: readonly string[]): Promise<void> {
    const [file = '', ...before] = await unpackedCommand(root, `usr/bin/${program}`)
    const options = { env, timeout: TOOL_MS, killSignal: 'SIGKILL' } as const
    await promisify(execFile)(file, [...before, ...args], options)
  }
  async function server(program: string, ...args: readonly string[]): Promise<MortalProcess> {
    const started = startMortal(
      [...(await unpackedCommand(root, `usr/bin/${program}`)), '-f', ...args],
      join(folder, program),
      env,
    )
    servers.push(started)
    return started
  }
  async function stop(): Promise<void> {
    // SIGTERM would let the gateway drain for long.
    await Promise.all(servers.map((started) => started.kill()))
    await removeFolder(folder)
  }

  try {
    const fsid = randomUUID()
    await Promise.all(['mon', 'osd', 'run', 'log'].map((name) => mkdir(join(folder, name))))
    await writeFile(env.CEPH_CONF, await configuration(folder, root, fsid, monitor, port))
    const [monitors, map] = [join(folder, 'monmap'), join(folder, 'osdmap')]
    await Promise.all([
      tool('monmaptool', '--create', '--addv', 'a', `[${monitor}]`, '--fsid', fsid, ...OLDEST, monitors),
      tool('osdmaptool', '--createsimple', '1', map),
    ])
    await tool('ceph-mon', '-i', 'a', '--mkfs', '--monmap', monitors, '--osdmap', map)
    // Who finds no monitor waits for seconds before the next attempt.
    await listening(await server('ceph-mon', '-i', 'a'), monitorPort)
    await tool('ceph-osd', '-i', '0', '--mkfs')
    await server('ceph-osd', '-i', '0')
    const { accessKeyId, secretAccessKey } = CREDENTIALS
    const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`]
    await tool('radosgw-admin', 'user', 'create', '--uid=test', '--display-name=test', ...keys)
    await listening(await server('radosgw', '-n', 'client.admin'), port)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    service: {
      endpoint: `http://${HOST}:${port}`,
      region: 'us-east-1',
      credentials: CREDENTIALS,
      forcePathStyle: true,
    },
    pids: servers.map(({ pid }) => pid),
    running: () => servers.every((started) => started.running()),
    stop,
  }
}

/** Waits until a server listens; each does when it can answer. */
async function listening(server: MortalProcess, port: number): Promise<void> {
  const end = Date.now() + READY_MS
  while (server.running() && Date.now() < end) {
    if (await listens(port)) return
    await delay(20)
  }
  throw new Error(`Ceph does not listen on port ${port}:\n${server.lastWords()}`)
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.destroy())
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
}

async function configuration(
  folder: string,
  root: string,
  fsid: string,
  monitor: string,
  port: number,
): Promise<string> {
  const { libraries } = await unpackedLibraries(root)
  return `[global]
fsid = ${fsid}
mon host = ${monitor}
public addr = ${HOST}
cluster addr = ${HOST}
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
run dir = ${folder}/run
admin socket = ${folder}/run/$name.asok
pid file = ${folder}/run/$name.pid
log file = ${folder}/log/$name.log
log to file = true
mon cluster log file = ${folder}/log/cluster.log
mon data = ${folder}/mon
osd data = ${folder}/osd
rgw data = ${folder}/rgw
plugin dir = ${libraries}/ceph
erasure code dir = ${libraries}/ceph/erasure-code
osd class dir = ${libraries}/rados-classes
osd objectstore = memstore
memstore device bytes = ${16 * 1024 ** 3}
osd memory target = ${896 * 1024 ** 2}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
# Percent of the disk that must be free.
mon data avail crit = 1
mon data avail warn = 2
# One monitor waits for no other.
paxos propose interval = 0.05
paxos min wait = 0.01
# A client that misses the news of a pool it has made asks again only then; the default is 5 s.
objecter tick interval = 0.5
# Without it what is answered in two pieces, as every GET, takes 40 ms longer.
rgw frontends = beast endpoint=${HOST}:${port} tcp_nodelay=1
rgw thread pool size = 64
rgw run sync thread = false
rgw enable lc threads = false
# Buckets of a test are small, and gone after it.
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw gc obj min wait = 60
rgw gc processor period = 30
`
}
