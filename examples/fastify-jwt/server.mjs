// Both protocols in a Fastify application that has logins of its own, by @fastify/jwt: whoever is logged in there is the
// owner of what he uploads. `JWT_SECRET=$(openssl rand -hex 32) node examples/fastify-jwt/server.mjs`
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import holdfast from 'holdfast/fastify'
import { FileStorage } from 'holdfast/file'

const app = Fastify({ return503OnClosing: false })

await app.register(fastifyJwt, { secret: process.env.JWT_SECRET })

// Stands for the application's login, which would ask for a password first.
app.post('/login', (request) => ({ token: app.jwt.sign({ sub: request.body.user }, { expiresIn: '1h' }) }))

await app.register(holdfast, {
  storage: new FileStorage({ directory: process.env.DATA_DIR ?? './data' }),
  // What it throws, with its 401, is what the client is told.
  authenticate: async (request) => ({ id: (await request.jwtVerify()).sub }),
  onCompleted: (file) => console.log(`${file.name} of ${file.owner} is here: ${file.size} bytes`),
})

app.get('/me', { onRequest: (request) => request.jwtVerify() }, async ({ user }) => {
  const { items } = await app.uploads.list({ limit: 20 }, { principal: { id: user.sub } })
  return { user: user.sub, unfinished: items.map(({ upload }) => upload.manifest.id) }
})

console.log(`listening on ${await app.listen({ port: Number(process.env.PORT ?? 3000) })}`)
process.once('SIGTERM', () => void app.close())
