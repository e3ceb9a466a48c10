import { execFile } from 'node:child_process'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { listen } from '../support/listen.ts'

const MAIN = fileURLToPath(new URL('../../dist/test/conformance/main.js', import.meta.url))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function conformance(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

/** A server that says it can do what it cannot. */
function boaster(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  if (request.method === 'OPTIONS') {
    response.writeHead(204, { 'Tus-Version': '1.0.0', 'Tus-Extension': 'creation,concatenation' }).end()
  } else response.writeHead(501).end()
}

describe('holdfast-conformance', { timeout: 60_000 }, () => {
  it('fails what is advertised and is not there, with the sentence and what was seen', async () => {
    const { code, stdout } = await conformance(`${await listen(boaster)}/files`, '--only', 'concatenation')
    expect(code).toBe(1)
    expect(stdout).toContain('advertised: creation, concatenation')
    expect(stdout).toMatch(/FAIL {3}MUST {4}creates a partial upload\n +“It is constructed by .*\n +seen: .*501/)
    expect(stdout).toMatch(/0 PASS, \d+ FAIL, \d+ WARN, \d+ ABSENT\n$/)
  })

  it('calls absent what is not advertised, and ends well', async () => {
    const { code, stdout } = await conformance(`${await listen(boaster)}/files`, '--only', 'checksum', '--json')
    expect(code).toBe(0)
    const { counts, findings } = JSON.parse(stdout) as {
      counts: object
      findings: { verdict: string; quote: string }[]
    }
    expect(counts).toMatchObject({ PASS: 0, FAIL: 0, WARN: 0, ABSENT: findings.length })
    expect(findings.length).toBeGreaterThan(20)
    expect(findings.every(({ quote }) => quote !== '')).toBe(true)
  })

  it('gives up a check that comes to nothing, and goes on with the next', async () => {
    const url = await listen((request, response) => {
      if (request.method === 'OPTIONS') boaster(request, response)
    })
    const { code, stdout } = await conformance(
      `${url}/files`,
      '--only',
      'HEAD',
      '--timeout',
      '1',
      '--concurrency',
      '20',
    )
    expect(code).toBe(1)
    expect(stdout).toContain('seen: nothing came of it within 1 s')
  })

  it('sends the headers it is given with every request', async () => {
    const seen = new Set<string | undefined>()
    const url = await listen((request, response) => {
      seen.add(request.headers.authorization)
      boaster(request, response)
    })
    await conformance(`${url}/files`, '--header', 'Authorization: Bearer x', '--only', 'creation')
    expect([...seen]).toEqual(['Bearer x'])
  })

  it.each([
    ['without a URL', [], /one URL/],
    ['with what is no URL', ['ftp://x'], /ftp:\/\/x/],
    ['with a chapter that is not there', ['http://127.0.0.1:1/', '--only', 'GET'], /no chapter GET/],
    ['with half a header', ['http://127.0.0.1:1/', '--header', 'x'], /--header x/],
    ['with no number of checks', ['http://127.0.0.1:1/', '--concurrency', '0'], /--concurrency/],
    ['with an option that is not there', ['http://127.0.0.1:1/', '--fast'], /--fast/],
    ['where no server is', ['http://127.0.0.1:1/files'], /http:\/\/127\.0\.0\.1:1\/files cannot be reached/],
  ])('says in one line what is wrong %s, and ends with 2', async (_when, args, message) => {
    const { code, stdout, stderr } = await conformance(...args)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(message)
    expect(stderr.trim()).not.toContain('\n')
  })
})
