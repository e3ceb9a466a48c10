// A stock @tus/server with Holdfast's locks in Redis in the place of its MemoryLocker: any number of these may serve one
// folder, behind any load balancer. `REDIS_URL=redis://127.0.0.1:6379 node examples/tus-server/server.mjs`
import { createServer } from 'node:http'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { RedisLocker } from 'holdfast/redis'
import { Redis } from 'ioredis'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')

const locker = new RedisLocker({
  redis,
  prefix: process.env.REDIS_PREFIX ?? 'tus:',
  onLost: (id) => console.error(`The lock on ${id} was lost.`),
})

const tus = new Server({
  path: '/files',
  relativeLocation: true,
  datastore: new FileStore({ directory: process.env.DATA_DIR ?? './data' }),
  locker,
  onUploadFinish: async (_request, upload) => {
    console.log(`${upload.metadata?.filename} is here: ${upload.size} bytes`)
    return {}
  },
})

const server = createServer((request, response) => void tus.handle(request, response))
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})

async function stop() {
  server.close()
  server.closeAllConnections()
  await locker.close()
  await redis.quit() // it was lent
}
process.once('SIGTERM', () => void stop())
