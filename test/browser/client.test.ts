import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { Request } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { openPage, setOffline, slowDown } from '../support/chromium.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { sha256 } from '../support/json-client.ts'
import { listen } from '../support/listen.ts'
import { tempDir } from '../support/temp-dir.ts'

const CHUNK = 256 * 1024
const DIST = new URL('../../dist/adapters/client/', import.meta.url)

/** A page of an application, which has its own login: a cookie. */
const PAGE = `<!doctype html><title>App</title><input type="file"><output></output>
<script type="module">
  import { ResumableUploader } from '/client/index.js'
  const server = new URLSearchParams(location.search).get('server')
  const options = { credentials: 'include', retryDelayMs: 20, maxRetryDelayMs: 200 }
  const uploader = new ResumableUploader(server, options)
  globalThis.told = []
  uploader.onProgress = (progress) => told.push(progress)
  document.querySelector('input').addEventListener('change', async (event) => {
    const end = await uploader.uploadFile(event.target.files[0]).then((file) => file.checksum, (error) => error.code)
    document.querySelector('output').textContent = end
  })
</script>`

interface Told {
  readonly uploadedBytes: number
  readonly state: string
}

it("a page of another origin uploads with Holdfast's client and its own cookie, while the network breaks", {
  timeout: 60_000,
}, async (context) => {
  const page = await openPage(context)
  const origin = await listen((request, response) => {
    const name = /^\/client\/([\w.-]+\.js)$/.exec(request.url ?? '')?.[1]
    if (name === undefined) return void response.setHeader('Content-Type', 'text/html').end(PAGE)
    readFile(new URL(name, DIST)).then(
      (script) => response.setHeader('Content-Type', 'text/javascript').end(script),
      () => response.writeHead(404).end(),
    )
  })
  const uploads = createUploads({
    storage: new FileStorage({ directory: await tempDir() }),
    chunkSize: CHUNK,
    authenticate: ({ headers }) => (headers.cookie?.includes('session=ann') === true ? { id: 'ann' } : null),
  })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const handle = holdfast({ uploads, cors: { origins: [origin], credentials: true } })
  const server = createServer(handle)
  const proxy = await startCuttingProxy(
    await listen((request, response) => void server.emit('request', request, response)),
  )
  onTestFinished(() => proxy.close())

  const bytes = randomBytes(24 * CHUNK)
  const path = join(await tempDir(), 'film.mp4')
  await writeFile(path, bytes)
  const answered: Request[] = []
  page.on('requestfinished', (request) => answered.push(request))

  // Without the cookie nobody is let in, and the page is told so.
  await page.goto(`${origin}/?server=${encodeURIComponent(proxy.url)}`)
  await page.setInputFiles('input', path)
  await page.getByText('UNAUTHENTICATED').waitFor()

  await page.context().addCookies([{ name: 'session', value: 'ann', url: proxy.url }])
  await page.reload()
  await slowDown(page, 3 * 1024 * 1024)
  const cuts = (async () => {
    for (const after of [2.5 * CHUNK, 3 * CHUNK, 4.2 * CHUNK]) await proxy.cutAfter(Math.round(after))
  })()
  await page.setInputFiles('input', path)
  await cuts
  // Chromium sends again by itself what a connection breaks that was used before; what it cannot reach it gives up.
  await setOffline(page, true)
  await page.waitForFunction(`told.at(-1).state === 'waiting'`)
  await setOffline(page, false)
  await page.getByText(sha256(bytes)).waitFor()

  const chunks = answered.filter((request) => request.method() === 'POST' && request.url().endsWith('/chunks'))
  const numbers = await Promise.all(chunks.map((request) => request.headerValue('X-Chunk-Number')))
  // Of what was answered nothing was sent again.
  expect(numbers.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, n) => n))
  const told = await page.evaluate<Told[]>('told')
  // A browser tells how much of a chunk has left.
  expect(told.some(({ uploadedBytes }) => uploadedBytes % CHUNK !== 0)).toBe(true)
  expect(told.at(-1)).toMatchObject({ state: 'done', uploadedBytes: bytes.length })
})
