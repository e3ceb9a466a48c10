import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import session from 'express-session'
import Fastify from 'fastify'
import passport from 'passport'
import { expect, it, onTestFinished } from 'vitest'
import holdfast from '../../adapters/fastify/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { callsOn, CREATIONS, MOUNTS, nameOf, type Ids } from '../support/access-calls.ts'
import { Wire } from '../support/http-wire.ts'
import { tempDir } from '../support/temp-dir.ts'

/** What passport puts on a request. */
type Visited = IncomingMessage & { readonly user?: { readonly id: string } }

/** An application that logs in by a session of express-session and passport, whose own pages are not the faces'. */
async function serve(): Promise<Wire> {
  const logins = new passport.Passport()
  logins.serializeUser<string>((user, done) => done(null, (user as { readonly id: string }).id))
  logins.deserializeUser<string>((id, done) => done(null, { id }))
  const app = Fastify()
  await app.register(holdfast, {
    storage: new FileStorage({ directory: await tempDir() }),
    middleware: [
      session({ secret: randomBytes(32).toString('hex'), resave: false, saveUninitialized: false }),
      logins.session(),
      // Stands for the application's own login, whichever that is.
      (request, _response, next) => {
        const user = request.headers['x-log-in']
        if (user === undefined) return next()
        const visit = request as IncomingMessage & { logIn(user: object, done: (error?: unknown) => void): void }
        visit.logIn({ id: String(user) }, next)
      },
    ],
    authenticate: ({ raw }) => (raw as Visited).user ?? null,
  })
  const wire = new Wire(await app.listen({ port: 0, host: '127.0.0.1' }))
  onTestFinished(async () => {
    wire.close()
    await app.close()
  })
  return wire
}

it('logs in by express-session and passport, on every method of both faces', async () => {
  const wire = await serve()
  const cookieOf = async (user: string): Promise<string> => {
    const answer = await wire.send('GET', MOUNTS.api, { headers: { 'X-Log-In': user } })
    return answer.headers['set-cookie']?.[0]?.split(';', 1)[0] ?? expect.fail('there is no cookie')
  }
  const cookies = { ann: await cookieOf('ann'), eve: await cookieOf('eve') }
  const send = (call: (typeof CREATIONS)[number], cookie?: string) => {
    const body = call.body === undefined ? undefined : Buffer.from(call.body)
    const headers = { ...call.headers, ...(cookie === undefined ? {} : { Cookie: cookie }) }
    return wire.send(call.method, call.path, { headers, body })
  }
  const begin = async (): Promise<Ids> => {
    const [initiate = expect.fail()] = CREATIONS
    const answer = await send({ ...initiate, body: '{"fileName":"a","fileSize":5}' }, cookies.ann)
    return (JSON.parse(answer.body.toString()) as { readonly data: Ids }).data
  }
  for (const call of CREATIONS) {
    expect((await send(call)).status, nameOf(call)).toBe(401)
    expect((await send(call, 'connect.sid=s%3Aforged.signature')).status, nameOf(call)).toBe(401)
    expect((await send(call, cookies.eve)).status, nameOf(call)).toBe(201)
  }
  const done = await begin()
  for (const call of callsOn(done).slice(2, 4)) expect((await send(call, cookies.ann)).status).toBe(200)
  for (const made of [await begin(), done]) {
    for (const call of callsOn(made)) {
      expect((await send(call)).status, nameOf(call)).toBe(401)
      expect((await send(call, cookies.eve)).status, nameOf(call)).toBe(404)
    }
  }
  let tried = 0
  for (let n = 0; n < callsOn(done).length; n += 1) {
    const made = await begin()
    const call = callsOn(made)[n] ?? expect.fail()
    const needsFile =
      call.path.includes(made.fileId) || call.path.endsWith('/complete') || nameOf(call).startsWith('GET /files')
    if (needsFile)
      for (const step of callsOn(made).slice(2, 4)) expect((await send(step, cookies.ann)).status).toBe(200)
    expect((await send(call, cookies.ann)).status, nameOf(call)).toBeLessThan(300)
    tried += 1
  }
  expect(tried).toBe(15)
})
