import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { prettyLine } from '../../../../adapters/standalone/pretty-line.ts'

/** What pino writes of one call, made pretty; the time of day is cut off, as it depends on where the test runs. */
function pretty(log: (logger: pino.Logger) => void, color = false): string {
  let written = ''
  log(pino({ level: 'trace', base: null }, { write: (line) => (written += prettyLine(line, color)) }))
  return written.replace(/^\d\d:\d\d:\d\d\.\d{3} /, '')
}

describe('prettyLine', () => {
  test('prints level, message and fields', () => {
    expect(pretty((log) => log.info('listening'))).toBe('INFO  listening\n')
    expect(pretty((log) => log.child({ reqId: 'a' }).warn({ n: 1, o: { p: [2] } }, 'odd'))).toBe(
      'WARN  odd reqId=a n=1 o={"p":[2]}\n',
    )
  })

  test('prints a request as one reads it', () => {
    const facts = { method: 'PATCH', url: '/files/x', bytesReceived: 5 }
    const answer = { ...facts, status: 409, durationMs: 12, code: 'OFFSET_MISMATCH' }
    expect(pretty((log) => log.info(answer, 'request'))).toBe(
      'INFO  PATCH /files/x 409 12 ms bytesReceived=5 code=OFFSET_MISMATCH\n',
    )
    expect(pretty((log) => log.info(facts, 'the client has gone'))).toBe(
      'INFO  PATCH /files/x the client has gone bytesReceived=5\n',
    )
  })

  test('prints the stack of an error below its line', () => {
    const [first, second, third] = pretty((log) => log.error({ err: new Error('no') }, 'sweeping')).split('\n')
    expect([first, second]).toEqual(['ERROR sweeping', '    Error: no'])
    expect(third).toMatch(/^ {8}at /)
  })

  test('lets nothing that a client wrote move the cursor or begin a line', () => {
    expect(pretty((log) => log.info({ url: '/\n\u001b[2J\u009b', method: 'GET' }, 'request'))).toBe(
      'INFO  GET /\\x0a\\x1b[2J\\x9b\n',
    )
  })

  test('has colours only where they are wanted', () => {
    expect(pretty((log) => log.info('x'), true)).toContain('\u001b[32mINFO \u001b[39;49m')
    expect(pretty((log) => log.info('x'))).not.toContain('\u001b')
  })

  test('leaves what is no JSON as it is', () => {
    expect(prettyLine('a warning\n', true)).toBe('a warning\n')
  })
})
