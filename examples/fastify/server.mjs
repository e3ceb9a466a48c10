// Both protocols in a Fastify application: `node examples/fastify/server.mjs`, then upload to http://127.0.0.1:3000/files
// (tus) or http://127.0.0.1:3000/api/v1/uploads (JSON).
import Fastify from 'fastify'
import holdfast from 'holdfast/fastify'
import { FileStorage } from 'holdfast/file'

const app = Fastify({ return503OnClosing: false })

await app.register(holdfast, {
  storage: new FileStorage({ directory: process.env.DATA_DIR ?? './data' }),
  maxFileSize: '50GiB',
  onCompleted: (file) => console.log(`${file.name} is here: ${file.size} bytes`),
})

console.log(`listening on ${await app.listen({ port: Number(process.env.PORT ?? 3000) })}`)
process.once('SIGTERM', () => void app.close())
