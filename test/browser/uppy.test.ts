import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Request } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { build } from 'vite'
import { CHROMIUM_MISSING, findChromium, launchChromium, openPage, slowDown } from '../support/chromium.ts'
import { startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

const SIZE = 20 * 1024 * 1024
const PAGE = fileURLToPath(new URL('page/', import.meta.url))

it('Uppy uploads 20 MiB from another origin, paused in the middle and resumed', {
  timeout: 90_000,
}, async (context) => {
  const executable = findChromium()
  if (executable === null) {
    if (process.env['CI']) throw new Error(CHROMIUM_MISSING)
    console.error(`\n!! ${CHROMIUM_MISSING}\n`)
    return context.skip(CHROMIUM_MISSING)
  }

  const dataDir = await tempDir()
  const server = await startServerProcess(dataDir)
  onTestFinished(() => void server.kill())
  const origin = await servePage()
  const file = join(await tempDir(), 'film.mp4')
  const bytes = randomBytes(SIZE)
  await writeFile(file, bytes)

  const browser = await launchChromium(executable, await tempDir())
  onTestFinished(() => browser.close())
  const page = browser.pages()[0] ?? (await browser.newPage())
  const troubles: string[] = []
  page.on('pageerror', (error) => troubles.push(error.message))
  const sent: Request[] = []
  page.on('request', (request) => {
    if (request.url().startsWith(server.url)) sent.push(request)
  })
  await page.goto(`${origin}/?endpoint=${encodeURIComponent(`${server.url}/files`)}`)
  await page.setInputFiles('.uppy-Dashboard-input >> nth=0', file)
  await slowDown(page, 5 * 1024 * 1024)
  await page.getByRole('button', { name: 'Upload 1 file' }).click()

  // Paused by hand, when a fifth is there.
  await page.waitForFunction(`uppy.getState().totalProgress >= 20`)
  await page.getByRole('button', { name: 'Pause' }).first().click()
  const upload = new URL((await location(sent)) ?? '')
  const client = new TusClient(upload.origin)
  const paused = await settled(() => client.offset(upload.pathname))
  expect(paused).toBeGreaterThan(0)
  expect(paused).toBeLessThan(SIZE)
  const before = sent.length

  await page.getByRole('button', { name: 'Resume' }).first().click()
  await page.getByText('Complete', { exact: true }).waitFor({ timeout: 60_000 })
  const screenshot = process.env['UPPY_SCREENSHOT']
  if (screenshot !== undefined) await page.screenshot({ path: screenshot })

  // It went on where it was: asked how far it had come, and sent the rest.
  const resumed = sent.slice(before).map((request) => request.method())
  expect(resumed).toEqual(['HEAD', 'PATCH'])
  expect(await sent.at(-1)?.headerValue('Upload-Offset')).toBe(String(paused))
  expect(sent.filter((request) => request.method() === 'POST')).toHaveLength(1)
  expect(troubles).toEqual([])

  const names = (await readdir(join(dataDir, 'files'))).filter((name) => /^[0-9a-f-]{36}$/.test(name))
  expect(names).toHaveLength(1)
  expect(sha256(await readFile(join(dataDir, 'files', names[0] ?? '')))).toBe(sha256(bytes))
})

it('Uppy uploads 20 MiB in three parts at the same time, from another origin', {
  timeout: 90_000,
}, async (context) => {
  const executable = findChromium()
  if (executable === null) return context.skip(CHROMIUM_MISSING)
  const server = await startServerProcess(await tempDir())
  onTestFinished(() => void server.kill())
  const origin = await servePage()
  const file = join(await tempDir(), 'film.mp4')
  const bytes = randomBytes(SIZE)
  await writeFile(file, bytes)

  const browser = await launchChromium(executable, await tempDir())
  onTestFinished(() => browser.close())
  const page = browser.pages()[0] ?? (await browser.newPage())
  const sent: Request[] = []
  page.on('request', (request) => {
    if (request.url().startsWith(server.url)) sent.push(request)
  })
  await page.goto(`${origin}/?parallel=3&endpoint=${encodeURIComponent(`${server.url}/files`)}`)
  await page.setInputFiles('.uppy-Dashboard-input >> nth=0', file)
  await page.getByRole('button', { name: 'Upload 1 file' }).click()
  await page.getByText('Complete', { exact: true }).waitFor({ timeout: 60_000 })

  const creations = sent.filter((request) => request.method() === 'POST')
  const concats = await Promise.all(creations.map((request) => request.headerValue('Upload-Concat')))
  expect(concats.slice(0, 3)).toEqual(['partial', 'partial', 'partial'])
  expect(concats[3]).toMatch(/^final;(?:\S+ ){2}\S+$/)
  expect(concats).toHaveLength(4)
  const upload = new URL((await location(creations.slice(3))) ?? '')
  const got = await new TusClient(upload.origin).request('GET', upload.pathname)
  expect([got.status, sha256(got.body)]).toEqual([200, sha256(bytes)])
})

it('Uppy goes on after a reload in the middle, with what Golden Retriever has kept', {
  timeout: 90_000,
}, async (context) => {
  const page = await openPage(context)
  const server = await startServerProcess(await tempDir())
  onTestFinished(() => void server.kill())
  const file = join(await tempDir(), 'film.mp4')
  const bytes = randomBytes(8 * 1024 * 1024)
  await writeFile(file, bytes)
  const sent: Request[] = []
  page.on('request', (request) => {
    if (request.url().startsWith(server.url)) sent.push(request)
  })
  await page.goto(`${await servePage()}/?golden&endpoint=${encodeURIComponent(`${server.url}/files`)}`)
  await page.setInputFiles('.uppy-Dashboard-input >> nth=0', file)
  await slowDown(page, 2 * 1024 * 1024)
  await page.getByRole('button', { name: 'Upload 1 file' }).click()
  await page.waitForFunction(`uppy.getState().totalProgress >= 30`)
  const upload = new URL((await location(sent)) ?? '')
  await page.reload()
  await page.getByText('Session restored').waitFor()
  await slowDown(page, 0)
  const kept = await settled(() => new TusClient(upload.origin).offset(upload.pathname))
  expect(kept).toBeGreaterThan(0)
  const before = sent.length
  await page.getByRole('button', { name: 'Upload 1 file' }).click()
  await page.getByText('Complete', { exact: true }).waitFor({ timeout: 60_000 })

  expect(sent.slice(before).map((request) => request.method())).toEqual(['HEAD', 'PATCH'])
  expect(await sent.at(-1)?.headerValue('Upload-Offset')).toBe(String(kept))
  const got = await new TusClient(upload.origin).request('GET', upload.pathname)
  expect(sha256(got.body)).toBe(sha256(bytes))
})

/** Bundles the page and serves it on a port of its own, which makes another origin of it. */
async function servePage(): Promise<string> {
  const outDir = await tempDir()
  await build({ root: PAGE, configFile: false, logLevel: 'error', build: { outDir, emptyOutDir: true } })
  const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const path = pathname === '/' ? '/index.html' : pathname
    response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream')
    createReadStream(join(outDir, path))
      .on('error', () => response.writeHead(404).end())
      .pipe(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Where the upload is, as the answer to its creation says. */
async function location(sent: readonly Request[]): Promise<string | undefined> {
  const creation = sent.find((request) => request.method() === 'POST')
  const response = await creation?.response()
  const told = await response?.headerValue('Location')
  return told == null ? undefined : new URL(told, creation?.url()).href
}

/** A number when it has been the same twice. */
async function settled(read: () => Promise<number>): Promise<number> {
  let last = await read()
  await expect
    .poll(async () => {
      const now = await read()
      const same = now === last
      last = now
      return same
    })
    .toBe(true)
  return last
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
