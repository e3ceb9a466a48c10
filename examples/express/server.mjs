// Both protocols in an Express application, with its own users and hooks: `node examples/express/server.mjs`.
import express from 'express'
import { createUploads, UploadError } from 'holdfast'
import { FileStorage } from 'holdfast/file'
import { holdfast } from 'holdfast/node'

const uploads = createUploads({
  storage: new FileStorage({ directory: process.env.DATA_DIR ?? './data' }),
  authenticate: (request) => ({ id: request.headers['x-user'] ?? 'guest' }),
  beforeCreate: (upload) => {
    if (upload.fileName.endsWith('.exe')) throw new UploadError('FORBIDDEN', { message: 'No programs, please.' })
  },
  onCompleted: (file) => console.log(`${file.name} is here: ${file.size} bytes`),
})
await uploads.open()

const app = express()
app.use(holdfast({ uploads })) // before express.json(), which would eat the bodies
app.use(express.json())
app.get('/', (_request, response) => void response.send('Upload to /files (tus) or /api/v1/uploads (JSON).'))

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})

async function stop() {
  await uploads.close() // ends the bodies under way; what they brought is kept
  server.close()
  server.closeAllConnections()
}
process.once('SIGTERM', () => void stop())
