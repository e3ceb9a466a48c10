import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyServerOptions } from 'fastify'
import holdfast, { type HoldfastOptions } from '../../adapters/fastify/index.ts'
import type { Middleware } from '../../adapters/fastify/register-faces.ts'
import { holdfast as nodeHandler } from '../../adapters/node/index.ts'
import { createUploads, type Principal } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { startServerProcess } from './server-process.ts'

/** A server that knows two users. */
export interface Host {
  readonly port: number
  /** Lines of a request that say who asks. */
  readonly as: (user: 'ann' | 'eve') => readonly string[]
  close(): Promise<void>
}

const KEYS = { ann: randomBytes(24).toString('hex'), eve: randomBytes(24).toString('hex') }
const as: Host['as'] = (user) => [`X-API-Key: ${KEYS[user]}`]

function userOf(key: unknown): Principal | null {
  if (key === KEYS.ann) return { id: 'ann' }
  return key === KEYS.eve ? { id: 'eve' } : null
}

/** The server in a process of its own, with keys. */
export async function startStandalone(directory: string): Promise<Host> {
  const variables = { AUTH: 'api-key', API_KEYS: `ann:${KEYS.ann},eve:${KEYS.eve}` }
  const server = await startServerProcess(directory, variables)
  return { port: Number(new URL(server.url).port), as, close: async () => void (await server.kill()) }
}

async function fastify(
  directory: string,
  options: Pick<HoldfastOptions, 'middleware' | 'authenticate'>,
  server: FastifyServerOptions = {},
): Promise<Host> {
  // Ids of one length: answers are compared.
  const app = Fastify({ genReqId: () => randomUUID(), ...server })
  await app.register(holdfast, { storage: new FileStorage({ directory }), ...options })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: (app.server.address() as AddressInfo).port, as, close: () => app.close() }
}

/** As Passport and the like do: the middleware says who it is on the request, and `authenticate` reads it. */
export function startReadingUser(directory: string): Promise<Host> {
  const users = new WeakMap<object, Principal>()
  const login: Middleware = (request, _response, next) => {
    const user = userOf(request.headers['x-api-key'])
    if (user !== null) users.set(request, user)
    next()
  }
  return fastify(directory, { middleware: [login], authenticate: ({ raw }) => users.get(raw) ?? null })
}

/**
 * The middleware is a gate, and whoever comes by another way may do everything. The router reads paths as kindly as it
 * can.
 */
export function startBehindGate(directory: string): Promise<Host> {
  const users = new WeakMap<object, Principal>()
  const gate: Middleware = (request, response, next) => {
    const user = userOf(request.headers['x-api-key'])
    if (user === null) return void response.writeHead(401).end()
    users.set(request, user)
    next()
  }
  const authenticate: HoldfastOptions['authenticate'] = ({ raw }) => users.get(raw) ?? { id: 'ann', scopes: ['admin'] }
  // Fastify's types know one of them in another place only.
  const routerOptions = {
    caseSensitive: false,
    ignoreTrailingSlash: true,
    ignoreDuplicateSlashes: true,
    useSemicolonDelimiter: true,
  }
  return fastify(directory, { middleware: [gate], authenticate }, { routerOptions })
}

/** Both faces in a plain server of Node's. */
export async function startNode(directory: string): Promise<Host> {
  const uploads = createUploads({ storage: new FileStorage({ directory }) })
  await uploads.open()
  const server = createServer(nodeHandler({ uploads, authenticate: ({ headers }) => userOf(headers['x-api-key']) }))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const close = async (): Promise<void> => {
    await uploads.close()
    server.close()
    server.closeAllConnections()
  }
  return { port: (server.address() as AddressInfo).port, as, close }
}
