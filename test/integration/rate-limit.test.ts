import Fastify, { type FastifyInstance } from 'fastify'
import rateLimit from '@fastify/rate-limit'
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { holdfast, type HoldfastOptions } from '../../adapters/fastify/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import { failureOf, JsonClient } from '../support/json-client.ts'
import { describeWithRedis } from '../support/services/redis.ts'
import { startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'
import { aClient, ownPrefix } from '../unit/state/redis/redis-nodes.ts'

const NOBODY = '00000000-0000-4000-8000-000000000000'
const HOUR = 3_600_000

/** The plugin on a socket, with a limit of three requests an hour unless it is told otherwise. */
async function serve(
  options: Partial<HoldfastOptions> = {},
  prepare: (app: FastifyInstance) => Promise<void> = async () => {},
) {
  const app = Fastify({ trustProxy: 'loopback', return503OnClosing: false })
  await prepare(app)
  await app.register(holdfast, {
    storage: new FileStorage({ directory: await tempDir() }),
    rateLimit: { max: 3, windowMs: HOUR },
    ...options,
  } as HoldfastOptions)
  app.get('/own', async () => 'mine')
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = new JsonClient(url)
  onTestFinished(async () => {
    client.close()
    await app.close()
  })
  const ask = (headers: Record<string, string> = {}, path = `/api/v1/uploads/${NOBODY}`) =>
    client.call('GET', path, { headers })
  return { app, url, client, ask, tus: new TusClient(url) }
}

const BY_HEADER: Partial<HoldfastOptions> = {
  authenticate: ({ headers }) => (headers.authorization === undefined ? null : { id: headers.authorization }),
}

/** Statuses of so many requests, one after the other. */
async function statuses(count: number, ask: () => Promise<{ readonly status: number }>): Promise<readonly number[]> {
  const all: number[] = []
  for (let i = 0; i < count; i += 1) all.push((await ask()).status)
  return all
}

describe('a limit of requests', () => {
  it('is 429 in the form of the API beyond it, and says when to come again', async () => {
    const { ask } = await serve()
    expect(await statuses(3, ask)).toEqual([404, 404, 404])
    const answer = await ask()
    const { details, message } = failureOf(answer, 429, 'RATE_LIMITED')
    const seconds = Number(answer.headers['retry-after'])
    const exposed = answer.headers['access-control-expose-headers']?.toLowerCase().split(', ')
    const told = Object.keys(answer.headers).filter((name) => name.startsWith('x-ratelimit-'))
    expect(told.length).toBeGreaterThan(0)
    for (const name of told) expect(exposed).toContain(name)
    expect(seconds).toBeGreaterThan(HOUR / 1000 - 60)
    expect(seconds).toBeLessThanOrEqual(HOUR / 1000)
    expect(details).toEqual({ max: 3, windowMs: HOUR, retryAfterSeconds: seconds })
    expect(message).toBe(`More than 3 requests in 3600 s. Try again in ${seconds} s.`)
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': '*', 'x-request-id': expect.any(String) })
  })

  it('is one for the JSON API and the files beside it, whatever the route', async () => {
    const { ask, client } = await serve()
    await client.begin({ fileSize: 1 })
    await ask({}, `/api/v1/files/${NOBODY}`)
    await ask({}, '/api/v1/uploads/a/b/c')
    for (const path of ['/api/v1/uploads', `/api/v1/files/${NOBODY}`, `/api/v1/uploads/${NOBODY}/progress`]) {
      failureOf(await ask({}, path), 429, 'RATE_LIMITED')
    }
  })

  it('ends when its time is over', async () => {
    const { ask } = await serve({ rateLimit: { max: 1, windowMs: 300 } })
    expect(await statuses(2, ask)).toEqual([404, 429])
    await expect.poll(async () => (await ask()).status, { timeout: 10_000, interval: 50 }).toBe(404)
  })

  it('counts neither preflights, nor tus, nor what else the application serves', async () => {
    const { ask, client, tus } = await serve({ rateLimit: { max: 1, windowMs: HOUR } })
    expect(await statuses(2, ask)).toEqual([404, 429])
    const preflight = { Origin: 'https://a.example', 'Access-Control-Request-Method': 'POST' }
    const asked = () => client.call('OPTIONS', '/api/v1/uploads/initiate', { headers: preflight })
    expect(await statuses(3, asked)).toEqual([204, 204, 204])
    expect(await statuses(3, () => tus.request('HEAD', `/files/${NOBODY}`))).toEqual([404, 404, 404])
    expect(await statuses(3, () => client.call('GET', '/own'))).toEqual([200, 200, 200])
  })

  it('refuses a chunk before its body is read', async () => {
    const { client, ask } = await serve({ rateLimit: { max: 2, windowMs: HOUR } })
    const { id } = await client.begin({ fileSize: 4 })
    await ask()
    const open = client.openChunk(id, 0, 4)
    failureOf(await open.answer, 429, 'RATE_LIMITED')
    await open.cut()
  })

  it('is of a principal, wherever it comes from', async () => {
    let asked = 0
    const { ask } = await serve({
      authenticate: ({ headers }) => {
        asked += 1
        return headers.authorization === undefined ? null : { id: headers.authorization }
      },
    })
    const as = (id: string, address: string) => () => ask({ authorization: id, 'x-forwarded-for': address })
    expect(await statuses(2, as('ann', '192.0.2.1'))).toEqual([404, 404])
    expect(await statuses(2, as('ann', '192.0.2.2'))).toEqual([404, 429])
    expect(await statuses(1, as('bob', '192.0.2.2'))).toEqual([404])
    // A limit asks as well: once for each request all the same.
    expect(asked).toBe(5)
  })

  it('is of an address, by as much as proxies are trusted, where there is no principal', async () => {
    const { ask } = await serve(BY_HEADER)
    const from = (address: string) => () => ask({ 'x-forwarded-for': address })
    expect(await statuses(4, from('192.0.2.1'))).toEqual([401, 401, 401, 429])
    // What a client says of itself does not count.
    expect(await statuses(1, from('198.51.100.7, 192.0.2.1'))).toEqual([429])
    expect(await statuses(1, from('192.0.2.2'))).toEqual([401])
    // A network of IPv6 is one client's.
    expect(await statuses(3, from('2001:db8::1'))).toEqual([401, 401, 401])
    expect(await statuses(1, from('2001:db8::2'))).toEqual([429])
  })

  it('stands beside one that the application has already', async () => {
    const { client, ask, tus } = await serve({}, async (app) => {
      await app.register(rateLimit, { max: 4, timeWindow: HOUR })
    })
    expect(await statuses(4, ask)).toEqual([404, 404, 404, 429])
    failureOf(await ask(), 429, 'RATE_LIMITED')
    expect(await statuses(2, () => client.call('GET', '/own'))).toEqual([429, 429])
    // The application's own holds for tus too: there it is 423, after which clients resume.
    const answer = await tus.request('HEAD', `/files/${NOBODY}`)
    expect(answer.status).toBe(423)
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(60)
  })

  it.each([
    ['max', { max: 0, windowMs: 1 }],
    ['max', { max: Number.NaN, windowMs: 1 }],
    ['windowMs', { max: 1, windowMs: 0.5 }],
  ])('is refused at the start where its %s is wrong', async (name, limit) => {
    const app = Fastify()
    const storage = new FileStorage({ directory: await tempDir() })
    await expect(app.register(holdfast, { storage, rateLimit: limit })).rejects.toThrow(`rateLimit.${name}`)
  })

  it('is a variable of the server, and holds neither for probes nor for the documentation', async () => {
    const server = await startServerProcess(await tempDir(), { RATE_LIMIT: '2/1h' })
    const get = async (path: string) => ({ status: (await fetch(server.url + path)).status })
    onTestFinished(() => void server.kill())
    expect(await statuses(3, () => get(`/api/v1/uploads/${NOBODY}`))).toEqual([404, 404, 429])
    for (const path of ['/healthz', '/readyz', '/documentation', '/documentation/json']) {
      expect(await statuses(3, () => get(path)), path).toEqual([200, 200, 200])
    }
  })
})

describeWithRedis('a limit of requests, where state is in Redis', () => {
  it('is counted by all nodes together, and by one client of theirs', async () => {
    const prefix = ownPrefix()
    const nodes = await Promise.all(
      [0, 1].map(async () => serve({ state: new RedisState({ redis: aClient(), prefix }) })),
    )
    const [one, two] = nodes
    expect(await statuses(2, () => one!.ask())).toEqual([404, 404])
    expect(await statuses(2, () => two!.ask())).toEqual([404, 429])
    expect(await statuses(1, () => one!.ask())).toEqual([429])
    const keys = await aClient().keys(`${prefix}rate:*`)
    expect(keys).toEqual([`${prefix}rate:address:127.0.0.1`])
    expect(await aClient().pttl(keys[0] ?? '')).toBeGreaterThan(HOUR - 60_000)
  })

  it('is none while Redis does not answer', async () => {
    const redis = new Redis(1, '127.0.0.1', { maxRetriesPerRequest: 0 }).on('error', () => {})
    onTestFinished(() => redis.disconnect())
    const { ask } = await serve({ state: new RedisState({ redis }), rateLimit: { max: 1, windowMs: HOUR } })
    expect(await statuses(2, ask)).toEqual([503, 503])
  })
})
