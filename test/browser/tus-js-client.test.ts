import { createServer } from 'node:http'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { CHROMIUM_MISSING, findChromium, launchChromium } from '../support/chromium.ts'
import { startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'

/** The tests of tus-js-client, as its package brings them for browsers. */
const BUNDLE = fileURLToPath(new URL('../../node_modules/tus-js-client/dist/browser-test-bundle.js', import.meta.url))
/** The server that its end-to-end tests were written for. */
const ITS_SERVER = 'https://tusd.tusdemo.net/files/'

/** As much of Jasmine as these tests need: every test is kept under its whole name, and none is run by itself. */
const JASMINE = `
const specs = (globalThis.specs = [])
let path = []
globalThis.describe = (name, body) => { path.push(name); body(); path.pop() }
globalThis.it = (name, body) => specs.push({ name: [...path, name].join(' '), body })
globalThis.beforeEach = globalThis.afterEach = globalThis.beforeAll = globalThis.afterAll = () => {}
globalThis.jasmine = {}
globalThis.expect = (value) => {
  const check = (holds, what) => { if (!holds) throw new Error(JSON.stringify(value) + ' ' + what) }
  return {
    toBe: (other) => check(value === other, 'is not ' + JSON.stringify(other)),
    toMatch: (pattern) => check(pattern.test(value), 'does not match ' + pattern),
    toBeTruthy: () => check(value, 'is not truthy'),
    toContain: (item) => check(value.includes(item), 'does not contain ' + item),
  }
}
globalThis.runEndToEnd = async () => {
  const results = []
  for (const { name, body } of specs.filter((spec) => spec.name.includes('end-to-end'))) {
    results.push([name, await body().then(() => 'passed', (error) => String(error))])
  }
  return results
}
`

it("passes tus-js-client's own end-to-end tests, in Chromium and from another origin", {
  timeout: 90_000,
}, async (context) => {
  const executable = findChromium()
  if (executable === null) {
    if (process.env['CI']) throw new Error(CHROMIUM_MISSING)
    console.error(`\n!! ${CHROMIUM_MISSING}\n`)
    return context.skip(CHROMIUM_MISSING)
  }
  const server = await startServerProcess(await tempDir())
  onTestFinished(() => void server.kill())
  const endpoint = `${server.url}/files/`
  const written = await readFile(BUNDLE, 'utf8')
  const escaped = (url: string): string => url.replace(/[./]/g, String.raw`\$&`)
  const bundle = written.replaceAll(ITS_SERVER, endpoint).replaceAll(escaped(ITS_SERVER), escaped(endpoint))
  expect(bundle).not.toContain('tusd.tusdemo.net')

  const browser = await launchChromium(executable, await tempDir())
  onTestFinished(() => browser.close())
  const page = browser.pages()[0] ?? (await browser.newPage())
  await page.goto(await servePage(`<script>${JASMINE}</script><script src="/bundle.js"></script>`, bundle))
  const results = await page.evaluate<[name: string, result: string][]>('runEndToEnd()')
  expect(results.length).toBeGreaterThanOrEqual(2)
  expect(results).toEqual(results.map(([name]) => [name, 'passed']))
})

async function servePage(html: string, bundle: string): Promise<string> {
  const server = createServer((request, response) => {
    const script = request.url === '/bundle.js'
    response.setHeader('Content-Type', script ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8')
    response.end(script ? bundle : `<!doctype html>${html}`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}
