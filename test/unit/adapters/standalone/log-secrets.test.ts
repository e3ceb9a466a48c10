import { pino } from 'pino'
import { expect, test } from 'vitest'
import { WITHOUT_SECRETS } from '../../../../adapters/standalone/log-secrets.ts'

const SECRET = 'marked-secret'

function logged(write: (log: ReturnType<typeof pino>) => void): string {
  const lines: string[] = []
  write(pino({ ...WITHOUT_SECRETS, base: null }, { write: (line) => lines.push(line) }))
  return lines.join('')
}

test('hides headers that let somebody in, wherever they are logged', () => {
  const headers = { authorization: `Bearer ${SECRET}`, 'x-api-key': SECRET, cookie: SECRET, host: 'seen.example' }
  const lines = logged((log) => {
    log.info({ headers }, 'as they are')
    log.child({}).info({ req: { headers }, request: { headers } }, 'of a request')
    log.error({ err: Object.assign(new Error('failed'), { request: { headers } }) }, 'of an error')
    log.info({ headers: { Authorization: SECRET, 'X-API-Key': SECRET } }, 'as they are written')
  })
  expect(lines).not.toContain(SECRET)
  expect(lines.match(/seen\.example/g)).toHaveLength(4)
})

test('hides what a query lets somebody in with, in addresses and in sentences', () => {
  const lines = logged((log) => {
    log.info({ url: `/api/v1/uploads/1/events?token=${SECRET}&after=5` }, 'a field')
    log.warn(`did you forget something in the "/x?a=1&access_token=${SECRET}" (GET) route?`)
    log.error({ err: new Error(`no answer to /x?apiKey=${SECRET}`) }, 'an error')
  })
  expect(lines).not.toContain(SECRET)
  expect(lines).toContain('?token=[hidden]&after=5"')
  expect(lines).toContain('access_token=[hidden]\\" (GET) route?')
  for (const line of lines.trim().split('\n')) expect(() => void JSON.parse(line)).not.toThrow()
})

test('hides the token of an upload, whatever is said of it', () => {
  const token = `hfu1_${'aB3-_'.repeat(8)}xyz`
  const lines = logged((log) => {
    log.info({ uploadToken: token, list: [token] }, `of ${token}.`)
    log.error({ err: new Error(`Location: /files/1?x=${token}&y=1`) })
  })
  expect(lines).not.toContain(token)
  expect(lines.match(/\[hidden\]/g)).toHaveLength(6)
})

test('hides the password that a client of Redis puts into its errors', () => {
  const error = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['default', SECRET] } })
  const lines = logged((log) => log.error({ err: error }, 'Redis does not answer'))
  expect(lines).not.toContain(SECRET)
  expect(lines).toContain('"name":"auth"')
})
