import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Upload } from 'tus-js-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { JsonClient } from '../e2e/json-client.ts'
import { bytesOf } from '../support/byte-source.ts'
import { sharedVariables } from '../support/cluster.ts'
import { isRunning } from '../support/services/mortal-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'

/** An example that is running. */
interface Example {
  readonly child: ChildProcess
  /** The next line it writes that fits; those before it are passed over. */
  told(form?: RegExp): Promise<string>
  /** What it has written so far. */
  output(): string
  /** Sends a signal; the exit code. */
  ended(signal: NodeJS.Signals): Promise<number | null>
}

function runExample(path: string, variables: Readonly<Record<string, string>>): Example {
  const script = fileURLToPath(new URL(`../../examples/${path}`, import.meta.url))
  const { PATH = '' } = process.env
  const env = { PATH, PORT: '0', ...variables }
  const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exited
  })
  const seen: string[] = []
  const lines = createInterface({ input: child.stdout }).on('line', (line) => seen.push(line))
  const next = lines[Symbol.asyncIterator]()
  return {
    child,
    told: async (form = /^/) => {
      for (;;) {
        const { done, value } = await next.next()
        if (done === true) throw new Error(`it ended before it said ${form}:\n${seen.join('\n')}`)
        if (form.test(value)) return value
      }
    },
    output: () => seen.join('\n'),
    ended: async (signal) => {
      child.kill(signal)
      await exited
      return child.exitCode
    },
  }
}

/** Uploads by tus-js-client; the upload's address. */
function uploadByTus(base: string, bytes: Buffer, chunkSize = Infinity): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(bytes, {
      endpoint: `${base}/files`,
      metadata: { filename: 'hello.txt' },
      chunkSize,
      onSuccess: () => resolve(upload.url ?? ''),
      onError: reject,
    })
    upload.start()
  })
}

async function download(url: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(url)).arrayBuffer())
}

describe.each(['express', 'fastify', 'node-http'])('the example %s', (name) => {
  it('takes an upload by tus-js-client, tells of it, and ends on SIGTERM', async () => {
    const example = runExample(`${name}/server.mjs`, { DATA_DIR: await tempDir() })
    const [base = ''] = /http:\S+/.exec(await example.told()) ?? []
    await uploadByTus(base, Buffer.from('hello'))
    expect(await example.told()).toBe('hello.txt is here: 5 bytes')
    expect(await example.ended('SIGTERM')).toBe(0)
  })
})

const MIB = 1024 * 1024
const SIZE = 12 * MIB + 7

/** Uploads a file by each protocol through the one port, and reads both back. */
async function uploadBoth(base: string): Promise<void> {
  const bytes = bytesOf(7, SIZE)
  const address = await uploadByTus(base, bytes, 3 * MIB)
  expect(bytes.equals(await download(address))).toBe(true)

  const json = new JsonClient(base)
  const { id, fileId, chunkSize, totalChunks } = (await json.initiate({ fileName: 'a.bin', fileSize: SIZE })).data
  for (let n = 0; n < Number(totalChunks); n += 1) {
    expect(await json.chunk(String(id), n, bytes, Number(chunkSize))).toMatchObject({ status: 200 })
  }
  expect(await json.complete(String(id))).toMatchObject({ status: 200, data: { status: 'uploaded' } })
  expect(bytes.equals(await download(`${base}/api/v1/files/${String(fileId)}/content`))).toBe(true)
}

/** Whether somebody listens there. */
async function listens(address: string): Promise<boolean> {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  const answered = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return answered
}

describeWithRedis('with Redis,', () => {
  describeWithS3('with S3,', () => {
    describe('the example cluster', { timeout: 60_000 }, () => {
      it('serves uploads with two nodes behind one port, and goes on with one when the other is killed', async () => {
        const bucket = await newBucket()
        const shared = { ...sharedVariables(redisService().url, bucket), REDIS_PREFIX: `${bucket}:` }
        const example = runExample('cluster/cluster.mjs', shared)
        const [base = ''] = /http:\S+/.exec(await example.told(/^listening on/)) ?? []
        await uploadBoth(base)
        for (const node of ['node 1', 'node 2']) {
          expect(example.output()).toMatch(new RegExp(`^${node}: PATCH .* 204$`, 'm'))
          expect(example.output()).toMatch(new RegExp(`^${node}: POST .*/chunks 200$`, 'm'))
        }
        const pids = [...example.output().matchAll(/^node \d is process (\d+)$/gm)].map(([, pid]) => Number(pid))
        expect(pids.map(isRunning)).toEqual([true, true])
        process.kill(pids[1] ?? 0, 'SIGKILL')
        await uploadBoth(base)
        expect(await example.ended('SIGINT')).toBe(0)
        expect([...pids.map(isRunning), await listens(base)]).toEqual([false, false, false])
      })

      // Where the run was given its services there may be no others to bring.
      it.skipIf(process.env['TEST_REDIS_URL'] || process.env['TEST_S3_ENDPOINT'])(
        'brings a Redis and an S3 where none is named, and ends them too',
        async () => {
          const { TEST_SERVICES_CACHE = '' } = process.env
          const example = runExample('cluster/cluster.mjs', { TEST_SERVICES_CACHE })
          const services = await example.told(/^Redis is/)
          const [base = ''] = /http:\S+/.exec(await example.told(/^listening on/)) ?? []
          await uploadBoth(base)
          const addresses = [base, ...(services.match(/(?:redis|http):[^\s,]+/g) ?? [])]
          expect(await Promise.all(addresses.map(listens))).toEqual([true, true, true])
          expect(await example.ended('SIGTERM')).toBe(0)
          expect(await Promise.all(addresses.map(listens))).toEqual([false, false, false])
        },
      )
    })
  })
})
