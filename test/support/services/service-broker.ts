import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { findCeph } from './ceph-program.ts'
import { startCeph } from './ceph-server.ts'
import { endAll } from './mortal-process.ts'
import { findNginx, type NginxCommands } from './nginx-program.ts'
import { findRedis } from './redis-program.ts'
import { startRedisServer } from './redis-server.ts'
import { namedRedis, type RedisService } from './redis-service.ts'
import { namedS3, type S3Service } from './s3-service.ts'
import { ServiceMissing } from './service-missing.ts'
import type { Whereabouts } from './whereabouts.ts'

/** What can be asked for, and what the answer is. */
export interface Services {
  /** The Redis of the run. */
  readonly redis: RedisService
  /** The command that starts another one. */
  readonly redisCommand: readonly string[]
  /** The S3 of the run. */
  readonly s3: S3Service
  /** The commands that start an nginx and make its certificate. */
  readonly nginx: NginxCommands
}

export type ServiceAnswer<Name extends keyof Services> =
  | { readonly service: Services[Name] }
  /** There is none, and how to have one. */
  | { readonly missing: string }
  /** There is one, but it does not start. */
  | { readonly failed: string }

/**
 * Finds and starts services in the process of the run, each when the first test file asks for it: a run that needs none
 * waits for none. Test files ask over HTTP, from processes of their own.
 */
export class ServiceBroker {
  readonly #answers = new Map<string, Promise<ServiceAnswer<keyof Services>>>()
  readonly #missing = new Set<string>()
  readonly #where: Whereabouts
  #server: Server | undefined

  constructor(where: Whereabouts) {
    this.#where = where
  }

  /** Why there was no answer, one text for each service that was asked for in vain. */
  get missing(): readonly string[] {
    return [...this.#missing]
  }

  /** Listens on loopback; the address. */
  async listen(): Promise<string> {
    this.#server = createServer((request, response) => {
      void this.#answer((request.url ?? '').slice(1)).then((answer) => response.end(JSON.stringify(answer)))
    }).listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Ends what it has started. */
  async close(): Promise<void> {
    this.#server?.close()
    this.#server?.closeAllConnections()
    await endAll()
  }

  #answer(name: string): Promise<ServiceAnswer<keyof Services>> {
    let answer = this.#answers.get(name)
    if (answer === undefined) {
      answer = this.#find(name).then(
        (service) => ({ service }),
        (error: unknown) => {
          if (!(error instanceof ServiceMissing)) return { failed: String(error) }
          this.#missing.add(error.message)
          return { missing: error.message }
        },
      )
      this.#answers.set(name, answer)
    }
    return answer
  }

  async #find(name: string): Promise<Services[keyof Services]> {
    const where = this.#where
    switch (name as keyof Services) {
      case 'redis': {
        const named = namedRedis(where.env)
        if (named !== null) return named
        const { url, host, port } = await startRedisServer(await findRedis(where))
        return { url, host, port }
      }
      case 'redisCommand':
        return findRedis(where)
      case 's3':
        return namedS3(where.env) ?? (await startCeph(await findCeph(where))).service
      case 'nginx':
        return findNginx(where)
    }
  }
}
