// What `globals.d.ts` declares.
import fastifyPlugin from 'fastify-plugin'

const bearer = (headers) => {
  const [, token] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? []
  if (token === undefined) throw Object.assign(new Error('No token was found.'), { statusCode: 401 })
  return token
}

Object.assign(globalThis, {
  file: Object.assign(Buffer.from('hello'), { name: 'hello.txt', type: 'text/plain' }),
  db: { files: { insert: async (file) => console.log(`inserted ${file.name} of ${file.owner}`) } },
  userIdOf: async (request) => bearer(request.headers),
  allowed: (upload) => upload.fileName !== 'forbidden.txt',
  jwt: fastifyPlugin(async (app) => {
    app.decorateRequest('jwtVerify', async function () {
      return { sub: bearer(this.headers) }
    })
  }),
})
