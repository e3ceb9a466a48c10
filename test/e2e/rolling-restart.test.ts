import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Cluster } from '../support/cluster.ts'
import { RoundRobin } from '../support/round-robin.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3 } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'
import { tusJsUpload } from './tus-js.ts'

const MIB = 1024 * 1024
/** How large the file is: `npm run test:deploy` takes 2 GiB. */
const SIZE = Number(process.env['DEPLOY_MIB'] ?? 96) * MIB
const TIMEOUT = { timeout: 60_000 + SIZE / 1000 }

/** A file of `SIZE` bytes that nothing repeats in, and its SHA-256. It is never in memory. */
async function someFile(): Promise<{ readonly path: string; readonly sha256: string }> {
  const path = join(await tempDir(), 'large.bin')
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update('deploy').digest(), Buffer.alloc(16))
  const hash = createHash('sha256')
  const zeros = Buffer.alloc(MIB)
  function* pieces() {
    for (let at = 0; at < SIZE; at += MIB) {
      const piece = cipher.update(zeros)
      hash.update(piece)
      yield piece
    }
  }
  await pipeline(Readable.from(pieces()), createWriteStream(path))
  return { path, sha256: hash.digest('hex') }
}

/** Nodes, and how one of them is replaced. */
interface Nodes {
  urls(): readonly string[]
  /** Ends the node at this address, which has an open body, as a deploy does, and starts another in its place. Returns its exit code. */
  replace(url: string): Promise<number | null>
  output(): string
}

/** Sends a file through a round robin while every node is replaced, the one that has the body first, twice. */
async function deploy(nodes: Nodes): Promise<void> {
  const { path, sha256 } = await someFile()
  const proxy = await RoundRobin.start(() => nodes.urls())
  onTestFinished(() => proxy.close())
  const began = performance.now()
  const { run, requests } = tusJsUpload(createReadStream(path), {
    endpoint: `${proxy.url}/files`,
    retryDelays: [0, 50, 100, 200, 400, 800, 800, 800, 800, 800],
  })
  const done = run()
  // Whatever it comes to is looked at below.
  done.catch(() => {})
  const first = await proxy.holdAt(0.25 * SIZE)
  // Before that is replaced: meanwhile the other takes what comes.
  const second = proxy.holdAt(0.6 * SIZE)
  const exits = [await nodes.replace(first), await nodes.replace(await second)]
  const address = await done
  const seconds = (performance.now() - began) / 1000

  expect(exits, nodes.output()).toEqual([0, 0])
  const seen = (method: string): number => requests.filter((request) => request.method === method).length
  expect(seen('POST')).toBe(1)
  expect(proxy.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
  // Each replacement has cut a body off, and it went on where it was: nothing was sent twice.
  expect(seen('PATCH')).toBe(3)
  const offsets = requests.flatMap(({ method, offset }) => (method === 'PATCH' && offset !== null ? [offset] : []))
  expect(offsets).toEqual(offsets.toSorted((one, other) => one - other))
  const hash = createHash('sha256')
  const { body } = await fetch(address)
  if (body === null) throw new Error('There is no file.')
  for await (const piece of body) hash.update(piece as Uint8Array)
  expect(hash.digest('hex')).toBe(sha256)
  const rss = Math.round(process.memoryUsage.rss() / MIB)
  process.stdout.write(
    `${SIZE / MIB} MiB in ${seconds.toFixed(1)} s through two replacements: ${seen('POST')} POST, ${seen('HEAD')} HEAD, ` +
      `${seen('PATCH')} PATCH at ${offsets.join(', ')}; ${proxy.bytes - SIZE} bytes that were on their way were sent again; client ${rss} MiB\n`,
  )
}

describe('an upload by tus-js-client through a deploy', () => {
  describeWithRedis('of two nodes on one Redis', () => {
    describeWithS3('and one bucket', () => {
      it('is begun once, and whole', TIMEOUT, async () => {
        const cluster = await Cluster.start(2, redisService().url, { REDIS_PREFIX: `deploy-${Date.now()}:` })
        onTestFinished(() => cluster.stop())
        await deploy({
          urls: () => cluster.urls,
          output: () => cluster.output(),
          replace: async (url) => {
            const at = [0, 1].find((one) => cluster.has(one) && cluster.node(one).url === url) ?? 0
            const code = await cluster.end(at, 'SIGTERM')
            await cluster.begin(at)
            return code
          },
        })
      })
    })
  })

  it('of one node on a directory, whose successor waits for it, is begun once, and whole', TIMEOUT, async () => {
    const directory = await tempDir()
    let server: ServerProcess = await startServerProcess(directory)
    onTestFinished(async () => void (await server.kill()))
    await deploy({
      urls: () => [server.url],
      output: () => server.output(),
      replace: async () => {
        const [code, next] = await Promise.all([server.kill('SIGTERM'), startServerProcess(directory)])
        server = next
        return code
      },
    })
  })
})
