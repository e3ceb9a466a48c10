import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Client } from '@aws-sdk/client-s3'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads } from '../../src/index.ts'
import { RedisState } from '../../src/state/redis/index.ts'
import { S3Storage, s3ClientOptions } from '../../src/storage/s3/index.ts'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { Wire } from '../support/http-wire.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket, s3Service } from '../support/services/s3.ts'
import {
  completed,
  createdId,
  initiated,
  JsonDriver,
  offsetIn,
  storedChunk,
  TusDriver,
} from '../support/upload-drivers.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB
const TIMEOUT = { timeout: 60_000 }

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

/** One node with Redis and S3, and a count of what it asks them. */
async function serve() {
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
  const tus = new TusDriver(wire)
  const json = new JsonDriver(wire)
  // The sweeper walks once, and then not for an hour: when all is quiet, it has.
  const quiet = { interval: 250, timeout: 10_000 }
  await expect.poll(() => asked.take(), quiet).toEqual({ redis: [], s3: [] })
  return { asked, tus, json }
}

describeWithRedis('requests', () => {
  describeWithS3('to S3 and Redis', () => {
    it('are one and two for a chunk over the JSON face', TIMEOUT, async () => {
      const { asked, json } = await serve()
      const bytes = bytesOf(1, 12 * CHUNK)
      const { id } = initiated(await json.initiate(bytes.length, 'a', CHUNK))
      for (let n = 0; n < 12; n += 1) {
        asked.take()
        const chunk = bytes.subarray(n * CHUNK, (n + 1) * CHUNK)
        expect(storedChunk(await json.putChunk(id, n, chunk)).checksum).toBe(sha256Of(chunk))
        // With its first lock the node begins to listen, and looks once whether it was asked before it did.
        if (n > 0) expect(asked.take()).toEqual({ redis: ['evalsha', 'evalsha'], s3: ['UploadPart'] })
      }
      expect(completed(await json.complete(id)).status).toBe('uploaded')
      expect(asked.take().s3.length).toBeLessThanOrEqual(5)
    })

    it('are as many as the parts and five at most for a file in one PATCH', TIMEOUT, async () => {
      const { asked, tus } = await serve()
      const bytes = bytesOf(2, 30 * CHUNK + 7)
      asked.take()
      const id = createdId(await tus.create(bytes.length, 'a'))
      expect(offsetIn(await tus.patch(id, 0, bytes))).toBe(bytes.length)
      const { s3 } = asked.take()
      console.log(JSON.stringify(s3))
      expect(s3.filter((name) => name === 'UploadPart')).toHaveLength(31)
      expect(s3.length).toBeLessThanOrEqual(31 + 5)
    })

    it('are three to S3 for a file of one chunk, over either face', TIMEOUT, async () => {
      const { asked, tus, json } = await serve()
      const bytes = bytesOf(3, 50_000)
      asked.take()
      createdId(await tus.create(bytes.length, 'a', bytes))
      expect(asked.take().s3).toEqual(['PutObject', 'PutObject', 'PutObject'])

      const { id } = initiated(await json.initiate(bytes.length, 'a', CHUNK))
      storedChunk(await json.putChunk(id, 0, bytes))
      expect(completed(await json.complete(id)).checksum).toBe(sha256Of(bytes))
      expect(asked.take().s3).toEqual(['PutObject', 'PutObject', 'PutObject'])
    })
  })
})
