// Two nodes, a Redis and an S3 on this machine, behind one port: `npm --prefix examples/cluster start`. Ctrl-C ends all of
// it. Nodes share the Redis and the bucket, and nothing else: it would be the same on many machines.
import { fileURLToPath } from 'node:url'
import { endAll, start } from './children.mjs'
import { createProxy } from './proxy.mjs'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SERVER = `${ROOT}dist/adapters/standalone/start.cjs`
const NODES = 2

let proxy
let stopping = false

/** The Redis and the bucket that the environment names, or else those of `npm run services`. */
async function sharedVariables() {
  const { REDIS_URL, S3_BUCKET } = process.env
  if (REDIS_URL && S3_BUCKET) return { STORAGE: 's3' }
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }
  const services = start('services', 'npm', ['run', '--silent', 'services'], { cwd: ROOT, env })
  const brought = {}
  for await (const line of services.lines) {
    const [, name, value] = /^export (\w+)=(.*)$/.exec(line) ?? []
    if (name !== undefined) brought[name] = value
    if (name === 'AWS_SECRET_ACCESS_KEY') break // the last of them
  }
  const { REDIS_URL: redis, ...s3 } = brought
  if (redis === undefined) throw new Error('Redis and S3 did not start.')
  return { STORAGE: 's3', ...(S3_BUCKET ? {} : s3), REDIS_URL: REDIS_URL || redis }
}

/** Starts a node on a free port, and waits until it listens. */
async function startNode(name, variables) {
  const env = { ...process.env, ...variables, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'info', LOG_FORMAT: 'json' }
  const { pid, ended, lines } = start(name, process.execPath, [SERVER], { env })
  const node = { name, port: 0, alive: true }
  await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const { level, msg } = JSON.parse(line)
      const [, port] = /^Holdfast is listening: \S+ http:\/\/[^:]+:(\d+)/.exec(msg) ?? []
      if (level > 30) console.error(`${name}: ${msg}`)
      if (port === undefined) return
      node.port = Number(port)
      resolve()
    })
    void ended.then(() => {
      node.alive = false
      if (!stopping) console.log(`${name} has ended`)
      reject(new Error(`${name} did not start.`))
    })
  })
  console.log(`${name} is process ${pid}`)
  return node
}

async function stop(code) {
  if (stopping) return
  stopping = true
  // First the nodes, which end the bodies under way and record what these brought; then what they record it in.
  await endAll((name) => name !== 'services')
  proxy?.close()
  proxy?.closeAllConnections()
  await endAll(() => true)
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0))

try {
  const variables = await sharedVariables()
  const { REDIS_URL, S3_BUCKET, S3_ENDPOINT = 'AWS' } = { ...process.env, ...variables }
  console.log(`Redis is ${REDIS_URL}, S3 is the bucket ${S3_BUCKET} of ${S3_ENDPOINT}`)
  const names = Array.from({ length: NODES }, (_, n) => `node ${n + 1}`)
  const nodes = await Promise.all(names.map((name) => startNode(name, variables)))
  proxy = createProxy(nodes, (line) => console.log(line))
  proxy.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
    console.log(`listening on http://127.0.0.1:${proxy.address().port}`)
  })
} catch (error) {
  if (!stopping) console.error(error.message)
  await stop(1)
}
