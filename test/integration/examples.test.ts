import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Upload, type UploadOptions } from 'tus-js-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { JsonClient } from '../e2e/json-client.ts'
import { bytesOf } from '../support/byte-source.ts'
import { sharedVariables } from '../support/cluster.ts'
import { isRunning } from '../support/services/mortal-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket } from '../support/services/s3.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

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

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

function runExample(path: string, variables: Readonly<Record<string, string>>): Example {
  return runScript(join(ROOT, 'examples', path), variables)
}

function runScript(script: string, variables: Readonly<Record<string, string>>): Example {
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
function uploadByTus(base: string, bytes: Buffer, options: UploadOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(bytes, {
      endpoint: `${base}/files`,
      metadata: { filename: 'hello.txt' },
      retryDelays: [],
      ...options,
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

/** The address in the line that an example says first. */
async function addressOf(example: Example): Promise<string> {
  const [base = ''] = /http:\S+/.exec(await example.told()) ?? []
  return base
}

describe('the example fastify-jwt', () => {
  it('takes uploads of who is logged in, as his own, and of nobody else', async () => {
    const variables = { DATA_DIR: await tempDir(), JWT_SECRET: randomBytes(32).toString('hex') }
    const example = runExample('fastify-jwt/server.mjs', variables)
    const base = await addressOf(example)
    const tokenOf = async (user: string): Promise<string> => {
      const headers = { 'Content-Type': 'application/json' }
      const answer = await fetch(`${base}/login`, { method: 'POST', headers, body: JSON.stringify({ user }) })
      return ((await answer.json()) as { readonly token: string }).token
    }
    const [ann, eve] = [await tokenOf('ann'), await tokenOf('eve')]
    await expect(uploadByTus(base, Buffer.from('hello'))).rejects.toThrow(/response code: 401/)
    const url = await uploadByTus(base, Buffer.from('hello'), { headers: { Authorization: `Bearer ${ann}` } })
    expect(await example.told()).toBe('hello.txt of ann is here: 5 bytes')
    const statusFor = async (headers: Record<string, string>) =>
      (await fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0', ...headers } })).status
    expect(await statusFor({ Authorization: `Bearer ${ann}` })).toBe(200)
    expect(await statusFor({ Authorization: `Bearer ${eve}` })).toBe(404)
    expect(await statusFor({ Authorization: `Bearer ${ann}x` })).toBe(401)

    const begun = await fetch(`${base}/files`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${ann}`, 'Tus-Resumable': '1.0.0', 'Upload-Length': '7' },
    })
    const me = await fetch(`${base}/me`, { headers: { Authorization: `Bearer ${ann}` } })
    const id = begun.headers.get('location')?.split('/').at(-1)
    expect(await me.json()).toEqual({ user: 'ann', unfinished: [id] })
    expect(await example.ended('SIGTERM')).toBe(0)
  })
})

describe('the example nestjs', () => {
  it('is compiled as Nest wants it, serves both protocols beside its controllers, and ends on SIGTERM', async () => {
    // In the project, so that it finds what it imports.
    await mkdir(join(ROOT, '.cache'), { recursive: true })
    const outDir = await mkdtemp(join(ROOT, '.cache', 'nestjs-'))
    onTestFinished(() => rm(outDir, { recursive: true }))
    const tsc = join(ROOT, 'node_modules/.bin/tsc')
    await promisify(execFile)(tsc, ['-p', join(ROOT, 'examples/nestjs'), '--outDir', outDir])
    const example = runScript(join(outDir, 'main.js'), { DATA_DIR: await tempDir() })
    const base = await addressOf(example)
    await expect(uploadByTus(base, Buffer.from('hello'))).rejects.toThrow(/response code: 401/)
    await uploadByTus(base, Buffer.from('hello'), { headers: { 'X-User': 'ann' } })
    expect(await example.told()).toBe('hello.txt is here: 5 bytes')

    const json = new JsonClient(base, { 'X-User': 'ann' })
    const { id } = (await json.initiate({ fileName: 'a.bin', fileSize: 5 })).data
    expect(await json.chunk(String(id), 0, Buffer.from('hello'), 5)).toMatchObject({ status: 200 })
    expect(await json.complete(String(id))).toMatchObject({ status: 200 })
    expect(await example.told()).toBe('a.bin is here: 5 bytes')
    expect(await (await fetch(`${base}/finished`)).json()).toEqual({ finished: 2 })
    expect(await example.ended('SIGTERM')).toBe(0)
  })
})

const MIB = 1024 * 1024
const SIZE = 12 * MIB + 7

/** Uploads a file by each protocol through the one port, and reads both back. */
async function uploadBoth(base: string): Promise<void> {
  const bytes = bytesOf(7, SIZE)
  const address = await uploadByTus(base, bytes, { chunkSize: 3 * MIB })
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

describeWithRedis('with Redis', () => {
  describe('the example tus-server', () => {
    it('lets two processes serve one folder: a PATCH on one lets go when the other is asked', async () => {
      const REDIS_PREFIX = `example-${randomBytes(4).toString('hex')}:`
      const variables = { DATA_DIR: await tempDir(), REDIS_URL: redisService().url, REDIS_PREFIX }
      const examples = [1, 2].map(() => runExample('tus-server/server.mjs', variables))
      const [first, second] = (await Promise.all(examples.map(addressOf))).map((base) => new TusClient(base))
      if (first === undefined || second === undefined) return expect.fail()
      const bytes = bytesOf(8, 2 * MIB)
      const path = await first.create(bytes.length)
      const stalled = first.openPatch(path, 0, bytes.length)
      await stalled.write(bytes.subarray(0, MIB))
      // A stock server lets the lock go before all that it has received is in the file: who then is too early is told 409.
      const append = async (): Promise<number> => {
        const offset = await second.offset(path)
        return (await second.patch(path, offset, bytes.subarray(offset))).status
      }
      await expect.poll(append).toBe(204)
      stalled.cut()
      // (Not by GET: at times it ends the process of a stock server.)
      const file = await readFile(join(variables.DATA_DIR, path.split('/').at(-1) ?? ''))
      expect(file.equals(bytes)).toBe(true)
      expect(await Promise.all(examples.map((example) => example.ended('SIGTERM')))).toEqual([0, 0])
    })
  })
})

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
