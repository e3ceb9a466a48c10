import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileChooser, Locator, Page, Request } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { openPage, slowDown } from '../support/chromium.ts'
import { JsonClient, sha256 } from '../support/json-client.ts'
import { startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'

const CHUNK = 256 * 1024
const SIZE = 16 * CHUNK
const SLOW = 1024 * 1024

it('the page at / uploads by both protocols, is paused, reloaded in the midst of it, and goes on', {
  timeout: 90_000,
}, async (context) => {
  const page = await openPage(context)
  const server = await startServerProcess(await tempDir(), { CHUNK_SIZE: String(CHUNK) })
  onTestFinished(() => void server.kill())
  const { path, bytes } = await someFile('film.mp4')
  const troubles = troublesOf(page)
  const sent = requestsOf(page)
  await page.goto(server.url)

  for (const protocol of ['json', 'tus'] as const) {
    await page.locator(`#protocol-${protocol}`).check()
    await slowDown(page, SLOW)
    await page.setInputFiles('#files', path)
    await reached(page, 20)
    await page.getByRole('button', { name: 'Pause film.mp4' }).click()
    await page.locator('.row .what', { hasText: 'Paused' }).waitFor()
    // Now so slowly that it cannot be done before the page is gone.
    await slowDown(page, CHUNK / 8)
    const goesOn = page.waitForRequest((request) => /\/chunks$|\/files\//.test(request.url()))
    await page.getByRole('button', { name: 'Resume film.mp4' }).click()
    await goesOn
    await page.reload()
    await page.getByRole('heading', { name: 'Unfinished uploads' }).waitFor()
    const there = await percentOf(page.locator('#unfinished-list .what'))
    expect(there).toBeGreaterThanOrEqual(10)
    expect(there).toBeLessThan(100)

    const before = sent.length
    await slowDown(page, 0)
    await page.getByLabel('The file film.mp4').setInputFiles(path)
    expect(await page.locator('#uploads-list .sum code').textContent()).toBe(sha256(bytes))
    await page.locator('#unfinished').waitFor({ state: 'hidden' })
    const resumed = sent.slice(before).filter((request) => /\/chunks$|\/files\//.test(request.url()))
    if (protocol === 'json') {
      // Only what was missing.
      expect(resumed).toHaveLength(16 - Math.round((there * 16) / 100))
    } else {
      expect(resumed.map((request) => request.method())).toEqual(['HEAD', 'PATCH'])
      expect(Number(await resumed.at(-1)?.headerValue('Upload-Offset'))).toBeGreaterThanOrEqual((there / 100) * SIZE)
    }
    await page.getByRole('button', { name: 'Remove from this list film.mp4' }).click()
  }
  expect(sent.filter((request) => !request.url().startsWith(`${server.url}/`)).map((request) => request.url())).toEqual(
    [],
  )
  expect(troubles).toEqual([])
})

it('the page at / is used by keyboard, cancels, and has a name for everything', {
  timeout: 60_000,
}, async (context) => {
  const page = await openPage(context)
  const server = await startServerProcess(await tempDir(), { CHUNK_SIZE: String(CHUNK) })
  onTestFinished(() => void server.kill())
  const json = new JsonClient(server.url)
  onTestFinished(() => json.close())
  const { path } = await someFile('film.mp4')
  const troubles = troublesOf(page)
  const chooser = new Promise<FileChooser>((resolve) => page.once('filechooser', resolve))
  await page.goto(server.url)
  await page.getByRole('button', { name: 'Choose files', disabled: false }).waitFor()
  await page.keyboard.press('Tab')
  expect(await page.locator(':focus').getAttribute('id')).toBe('choose')
  await slowDown(page, SLOW)
  await page.keyboard.press('Enter')
  await (await chooser).setFiles([path])
  await reached(page, 10)
  const status = page.getByRole('status')
  expect(await status.textContent()).toBe('Uploading film.mp4')
  await expectNames(page)

  // To the row's first button: choose, protocol, pause.
  await page.getByRole('button', { name: 'Pause film.mp4' }).focus()
  await page.keyboard.press('Enter')
  expect(await page.locator(':focus').textContent()).toBe('Resume film.mp4')
  expect(await status.textContent()).toBe('film.mp4 is paused')
  await page.keyboard.press('Enter')
  expect(await page.locator(':focus').textContent()).toBe('Pause film.mp4')
  await page.keyboard.press('Tab')
  const cancelled = page.waitForRequest((request) => request.method() === 'DELETE')
  await page.keyboard.press('Enter')
  const id = (await cancelled).url().split('/').at(-1) ?? ''
  await page.locator('.row').waitFor({ state: 'detached' })
  expect(await status.textContent()).toBe('film.mp4 is cancelled')
  expect(await page.locator(':focus').textContent()).toBe('Choose files')
  expect((await json.progress(id)).status).toBe(410)
  expect(troubles).toEqual([])
})

it('the page at / logs in, and shows what of the user is unfinished', { timeout: 60_000 }, async (context) => {
  const page = await openPage(context)
  const key = 'k'.repeat(32)
  const server = await startServerProcess(await tempDir(), {
    CHUNK_SIZE: String(CHUNK),
    AUTH: 'api-key',
    API_KEYS: `ann:${key}`,
  })
  onTestFinished(() => void server.kill())
  const { path, bytes } = await someFile('film.mp4')
  // Begun by another program, on another machine.
  const json = new JsonClient(server.url)
  onTestFinished(() => json.close())
  const login = { Authorization: `Bearer ${key}` }
  const { id } = await json.begin({ fileName: 'film.mp4', fileSize: SIZE }, login)
  expect((await json.chunk(id, 3, bytes.subarray(3 * CHUNK, 4 * CHUNK), login)).status).toBe(200)

  await page.goto(server.url)
  const sent = requestsOf(page)
  await page.setInputFiles('#files', path)
  await page.locator('.row[data-state=failed]').waitFor()
  await page.getByRole('button', { name: 'Remove from this list film.mp4' }).click()
  await page.getByLabel('API key').fill(key)
  await page.keyboard.press('Tab')
  await page.locator('#unfinished-list .what', { hasText: '6 % of 4.0 MiB' }).waitFor()
  await expectNames(page)
  const other = await someFile('film.mp4', SIZE - 1)
  const input = page.getByLabel('The file film.mp4')
  await input.setInputFiles(other.path)
  await page.getByText('That is another file').first().waitFor()
  await input.setInputFiles(path)
  expect(await page.locator('#uploads-list .sum code').textContent()).toBe(sha256(bytes))
  // The one chunk that was there was sent again, to be compared: this browser did not know of it.
  expect(sent.filter((request) => request.url().endsWith(`${id}/chunks`))).toHaveLength(16)
})

async function someFile(name: string, size = SIZE): Promise<{ readonly path: string; readonly bytes: Buffer }> {
  const path = join(await tempDir(), name)
  const bytes = randomBytes(size)
  await writeFile(path, bytes)
  return { path, bytes }
}

function requestsOf(page: Page): Request[] {
  const sent: Request[] = []
  page.on('request', (request) => sent.push(request))
  return sent
}

/** What goes wrong on a page: a policy that is broken tells the console. */
function troublesOf(page: Page): string[] {
  const troubles: string[] = []
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text())
  })
  return troubles
}

/** Resolves when the newest row is so far, in percent. */
async function reached(page: Page, percent: number): Promise<void> {
  const text = page.locator('#uploads-list .row').first().locator('.what')
  await expect.poll(() => percentOf(text), { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(percent)
}

async function percentOf(text: Locator): Promise<number> {
  return Number(/(\d+) %/.exec((await text.first().textContent()) ?? '')?.[1] ?? 0)
}

/** Everything that can be used has a name, and nothing of it an empty one. */
async function expectNames(page: Page): Promise<void> {
  for (const role of ['button', 'link', 'radio', 'textbox', 'progressbar', 'heading'] as const) {
    const all = await page.getByRole(role).count()
    expect(await page.getByRole(role, { name: /\S/ }).count(), role).toBe(all)
  }
  for (const input of await page.locator('input[type=file]').all()) {
    expect(await input.getAttribute('aria-label')).toMatch(/\S/)
  }
}
