import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import holdfastPlugin from '../../adapters/fastify/index.ts'
import { holdfast } from '../../adapters/node/index.ts'
import { TusServer } from '../../adapters/tus/index.ts'
import { createUploads } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { chapters } from '../conformance/chapters.ts'
import type { Chapter } from '../conformance/check.ts'
import { Random, runSeed } from '../support/byte-source.ts'
import { sharedVariables } from '../support/cluster.ts'
import { conformanceOf, drawnChapters, remarks } from '../support/conformance.ts'
import { listen } from '../support/listen.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket } from '../support/services/s3.ts'
import { makeTempDir, tempDir } from '../support/temp-dir.ts'

const TIB = 2 ** 40

/** What cannot be seen on a server that has all extensions, and whose uploads live for hours. */
const UNSEEN = [
  'ABSENT OPTIONS: advertises creation if a POST creates',
  'ABSENT OPTIONS: advertises creation-with-upload if a POST takes bytes',
  'ABSENT OPTIONS: advertises creation-defer-length if a length may be deferred',
  'ABSENT OPTIONS: advertises expiration if uploads expire',
  'ABSENT OPTIONS: advertises termination if a DELETE terminates',
  'ABSENT OPTIONS: advertises checksum if a wrong one is refused',
  'ABSENT OPTIONS: advertises concatenation if uploads are concatenated',
  'ABSENT expiration: answers 404 or 410 to HEAD when the time is over',
  'ABSENT expiration: answers 404 or 410 to PATCH when the time is over',
  // A final upload of unfinished ones is not announced, and refused.
  'ABSENT concatenation: creates a final upload of unfinished ones, and completes it with them',
  'ABSENT concatenation: says the length, and no offset, of a final upload of unfinished ones',
]

async function seen(endpoint: string, chosen?: readonly Chapter[]): Promise<string[]> {
  return remarks(await conformanceOf(new URL(endpoint), chosen))
}

const seed = runSeed()
const random = new Random(seed)

describeWithRedis('with Redis', () =>
  describeWithS3('and S3', () => {
    describe.each([
      ['file', 'memory', 'every sentence'],
      ['file', 'Redis', 'sentences of every chapter'],
      ['S3', 'memory', 'sentences of every chapter'],
      ['S3', 'Redis', 'every sentence'],
    ] as const)('The server with %s storage and state in %s', { timeout: 120_000 }, (storage, state, which) => {
      let server: ServerProcess

      beforeAll(async () => {
        const { REDIS_URL = '', ...s3 } = sharedVariables(redisService().url, storage === 'S3' ? await newBucket() : '')
        server = await startServerProcess(await makeTempDir(), {
          MAX_FILE_SIZE: String(TIB),
          ...(storage === 'S3' ? s3 : {}),
          ...(state === 'Redis' ? { REDIS_URL, REDIS_PREFIX: `conformance-${storage}-${process.pid}:` } : {}),
        })
      })

      afterAll(async () => {
        expect(await server.kill('SIGTERM')).toBe(0)
        expect(
          server
            .output()
            .split('\n')
            .filter((line) => /"level":(50|60)/.test(line)),
        ).toEqual([])
      })

      it(`holds to ${which} of tus 1.0.0`, async () => {
        const chosen = which === 'every sentence' ? chapters : drawnChapters(random)
        const checks = chosen.flatMap(({ name, checks }) => checks.map(({ title }) => `ABSENT ${name}: ${title}`))
        console.log(`conformance: ${checks.length} checks; HOLDFAST_SEED=${seed} draws the same`)
        expect(await seen(`${server.url}/files`, chosen)).toEqual(UNSEEN.filter((line) => checks.includes(line)))
      })
    })
  }),
)

describe('The adapters hold to every sentence of tus 1.0.0:', { timeout: 120_000 }, () => {
  it('the plugin in an application of Fastify', async () => {
    const app = Fastify()
    onTestFinished(() => app.close())
    await app.register(holdfastPlugin, { storage: new FileStorage({ directory: await tempDir() }), maxFileSize: TIB })
    expect(await seen(`${await app.listen({ host: '127.0.0.1', port: 0 })}/files`)).toEqual(UNSEEN)
  })

  it('the handler in a plain server of Node', async () => {
    const uploads = createUploads({ storage: new FileStorage({ directory: await tempDir() }), maxFileSize: TIB })
    await uploads.open()
    onTestFinished(() => uploads.close())
    const server = createServer(holdfast({ uploads, tusPath: '/a/b' })).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    expect(await seen(`http://127.0.0.1:${(server.address() as AddressInfo).port}/a/b`)).toEqual(UNSEEN)
  })

  it('TusServer', async () => {
    const datastore = new FileStorage({ directory: await tempDir() })
    const server = new TusServer({ path: '/files', datastore, maxSize: TIB })
    onTestFinished(() => server.close())
    expect(await seen(`${await listen((req, res) => server.handle(req, res))}/files`)).toEqual(UNSEEN)
  })
})

describe('A server whose uploads expire within seconds', { timeout: 60_000 }, () => {
  it('holds to every sentence about expiration', async () => {
    const server = await startServerProcess(await tempDir(), { EXPIRES_AFTER: '5s' })
    onTestFinished(async () => void (await server.kill()))
    const findings = await conformanceOf(new URL(`${server.url}/files`), 'expiration')
    expect(remarks(findings)).toEqual([])
  })
})
