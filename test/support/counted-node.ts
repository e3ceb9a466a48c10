import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Client } from '@aws-sdk/client-s3'
import { Redis } from 'ioredis'
import { expect, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type UploadsOptions } from '../../src/index.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import { S3Storage, s3ClientOptions } from '../../src/storage/s3/index.ts'
import { Wire } from './http-wire.ts'
import { redisService } from './services/redis.ts'
import { newBucket, s3Service } from './services/s3.ts'

/** What was asked of Redis and of S3, by name, since it was last taken. */
class Asked {
  #redis: string[] = []
  #s3: string[] = []

  ofRedis(command: string): void {
    // The first use of a script is two commands, and connections greet.
    if (!['eval', 'info', 'client', 'subscribe'].includes(command)) this.#redis.push(command)
  }

  ofS3(command: string): void {
    this.#s3.push(command)
  }

  take(): { readonly redis: readonly string[]; readonly s3: readonly string[] } {
    const taken = { redis: this.#redis, s3: this.#s3 }
    this.#redis = []
    this.#s3 = []
    return taken
  }
}

/** One node with Redis and S3, and a count of what it asks them; until the test has finished. */
export async function startCountedNode(options: Pick<UploadsOptions, 'authenticate' | 'fileChecksum'> = {}) {
  const asked = new Asked()
  class CountedRedis extends Redis {
    override sendCommand(...[command, stream]: Parameters<Redis['sendCommand']>): unknown {
      asked.ofRedis(command.name)
      return super.sendCommand(command, stream)
    }
  }
  const redis = new CountedRedis(redisService().url)
  const client = new S3Client({ ...s3ClientOptions(), ...s3Service() })
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) => {
        asked.ofS3(commandName.replace(/Command$/, ''))
        return next(args)
      },
    // The last before the wire: an attempt is a request.
    { step: 'finalizeRequest', priority: 'low' },
  )
  const bucket = await newBucket()
  const uploads = createUploads({
    storage: new S3Storage({ client, bucket }),
    state: new RedisState({ redis, prefix: `${bucket}:` }),
    fileChecksum: 'composite',
    ...options,
  })
  await uploads.open()
  const server = createServer(holdfast({ uploads })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const wire = new Wire(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    wire.close()
    server.close()
    await uploads.close()
    redis.disconnect()
    client.destroy()
  })
  // The sweeper walks once, and then not for an hour: when all is quiet, it has.
  const quiet = { interval: 250, timeout: 10_000 }
  await expect.poll(() => asked.take(), quiet).toEqual({ redis: [], s3: [] })
  return { asked, wire }
}
