import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from './free-port.ts'
import { type RedisServer, startRedisServer } from './redis-server.ts'

const MASTERS = 3
const SLOTS = 16_384
const READY_MS = 30_000

export interface RedisClusterOptions {
  /**
   * After how long without an answer a node counts as failed: milliseconds.
   *
   * @default 5000
   */
  readonly nodeTimeoutMs?: number
}

/** A Redis Cluster of three masters, each with one replica, in processes of their own. */
export interface RedisCluster {
  /** All six, masters first; the replica of the first master is the fourth. */
  readonly nodes: readonly RedisServer[]
  readonly masters: readonly RedisServer[]
  readonly replicas: readonly RedisServer[]
  /** Kills the six and removes their data. */
  stop(): Promise<void>
}

/** Makes a Cluster of processes of a {@link findRedis} command, and waits until each of them finds it whole. */
export async function formRedisCluster(
  command: readonly string[],
  { nodeTimeoutMs = 5000 }: RedisClusterOptions = {},
): Promise<RedisCluster> {
  const buses = await Promise.all(Array.from({ length: 2 * MASTERS }, () => freePort()))
  const begun = await Promise.allSettled(
    buses.map((bus) => {
      const config = {
        'cluster-enabled': 'yes',
        // Not 10,000 above its own port, where another may be.
        'cluster-port': String(bus),
        // They ping one another twice in it, and so hear soon what they have to know to begin.
        'cluster-node-timeout': '1000',
        // No replica takes over from a master that is slow for so short a time.
        'cluster-replica-no-failover': 'yes',
        'repl-diskless-sync-delay': '0',
        // A replica of an empty master counts as one without data until the first of these pings.
        'repl-ping-replica-period': '1',
      }
      return startRedisServer(command, { config })
    }),
  )
  const nodes = begun.flatMap((node) => (node.status === 'fulfilled' ? [node.value] : []))
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  const clients = nodes.map(({ host, port }) => new Redis(port, host, { enableReadyCheck: false }))
  for (const client of clients) client.on('error', () => undefined)
  try {
    for (const node of begun) if (node.status === 'rejected') throw node.reason as Error
    await form(clients, nodes, buses)
    const settled = ['cluster-node-timeout', nodeTimeoutMs, 'cluster-replica-no-failover', 'no'] as const
    await Promise.all(clients.map((client) => client.call('CONFIG', 'SET', ...settled)))
    return { nodes, masters: nodes.slice(0, MASTERS), replicas: nodes.slice(MASTERS), stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    for (const client of clients) client.disconnect()
  }
}

async function form(clients: readonly Redis[], nodes: readonly RedisServer[], buses: readonly number[]): Promise<void> {
  const [masters, replicas] = [clients.slice(0, MASTERS), clients.slice(MASTERS)]
  const [first] = masters
  const ids = await Promise.all(masters.map((master) => master.cluster('MYID')))
  const begins = (share: number): number => Math.floor((SLOTS * share) / MASTERS)
  await Promise.all([
    ...masters.map((master, n) => master.call('CLUSTER', 'ADDSLOTSRANGE', begins(n), begins(n + 1) - 1)),
    // Else they would first have to find out which of them is to count one on.
    ...clients.map((client, n) => client.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1)),
  ])
  for (const [n, { host, port }] of nodes.entries()) {
    if (n > 0) await first?.call('CLUSTER', 'MEET', host, port, Number(buses[n]))
  }
  await until('all know one another', clients, async (client) => {
    const known = await clusterNodes(client)
    return known.length === clients.length && known.every((line) => !line.includes('handshake'))
  })
  await Promise.all(replicas.map((replica, n) => replica.call('CLUSTER', 'REPLICATE', String(ids[n]))))
  await until('the replicas follow', replicas, async (replica) =>
    (await replica.info('replication')).includes('master_link_status:up'),
  )
  await until('all find every slot served by a master and a replica', clients, async (client) => {
    const info = await client.cluster('INFO')
    // From slot, to slot, and then the nodes; a replica is among them from when it is known to have data.
    const ranges = (await client.cluster('SLOTS')) as unknown[][]
    return info.includes('cluster_state:ok') && ranges.length === MASTERS && ranges.every(({ length }) => length === 4)
  })
}

async function clusterNodes(client: Redis): Promise<readonly string[]> {
  return String(await client.cluster('NODES'))
    .trim()
    .split('\n')
}

async function until(
  what: string,
  clients: readonly Redis[],
  holds: (client: Redis) => Promise<boolean>,
): Promise<void> {
  const end = Date.now() + READY_MS
  for (;;) {
    const all = await Promise.all(clients.map(holds))
    if (all.every(Boolean)) return
    if (Date.now() > end) throw new Error(`the Redis Cluster does not come to where ${what}`)
    await delay(20)
  }
}
