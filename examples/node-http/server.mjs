// Both protocols in a plain node:http server: `node examples/node-http/server.mjs`. In Express or Connect it is
// `app.use(holdfast({ uploads }))`, before any body parser.
import { createServer } from 'node:http'
import { createUploads } from 'holdfast'
import { FileStorage } from 'holdfast/file'
import { holdfast } from 'holdfast/node'

const uploads = createUploads({ storage: new FileStorage({ directory: process.env.DATA_DIR ?? './data' }) })
await uploads.open()
uploads.events.on('completed', (file) => console.log(`${file.name} is here: ${file.size} bytes`))

const server = createServer(holdfast({ uploads }))
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})

async function stop() {
  await uploads.close() // ends the bodies under way; what they brought is kept
  server.close()
  server.closeAllConnections()
}
process.once('SIGTERM', () => void stop())
