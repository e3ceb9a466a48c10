import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { CHROMIUM_MISSING, findChromium, launchChromium } from '../support/chromium.ts'
import { JsonClient } from '../support/json-client.ts'
import { startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'

const NAMES = ['snapshot', 'progress', 'completed', 'cancelled', 'expired', 'failed']

/** In the page: listens to all that may come, and to the state of the connection. */
const LISTEN = `
  const heard = []
  const source = new EventSource(new URLSearchParams(location.search).get('events'))
  for (const name of ${JSON.stringify(NAMES)}) {
    source.addEventListener(name, (event) => heard.push({ name, data: JSON.parse(event.data) }))
  }
`

it("a browser's EventSource on another origin follows an upload to its end, and then stays away", {
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
  const json = new JsonClient(server.url)
  onTestFinished(() => json.close())
  const file = Buffer.alloc(3000, 'x')
  const begun = await json.begin({ fileSize: file.length, chunkSize: 1000 })

  const browser = await launchChromium(executable, await tempDir())
  onTestFinished(() => browser.close())
  const page = browser.pages()[0] ?? (await browser.newPage())
  const answers: number[] = []
  page.on('response', (response) => {
    if (response.url().endsWith('/events')) answers.push(response.status())
  })
  const events = `${server.url}/api/v1/uploads/${begun.id}/events`
  await page.goto(`${await servePage()}/?events=${encodeURIComponent(events)}`)
  await page.waitForFunction(`heard.some(({ name }) => name === 'progress')`)
  await json.sendAll(begun, file)
  await page.waitForFunction(`heard.at(-1).data.uploadedBytes === 3000`)
  await json.completed(begun.id)
  await page.waitForFunction(`heard.at(-1).name === 'completed'`)
  expect((await heard(page)).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['snapshot', 'progress', 'completed']),
  )

  // The page does not close it. It connects again by itself, and is told not to.
  await page.waitForFunction(`source.readyState === EventSource.CLOSED`, undefined, { timeout: 30_000 })
  expect(answers).toEqual([200, 204])
  expect((await heard(page)).filter(({ name }) => name === 'completed')).toHaveLength(1)
})

function heard(page: Page): Promise<{ name: string }[]> {
  return page.evaluate('heard')
}

/** A page of another origin. */
async function servePage(): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html').end(`<!doctype html><script>${LISTEN}</script>`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://localhost:${(server.address() as AddressInfo).port}`
}
