import { type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core'
import { onTestFinished, type TestContext } from 'vitest'
import { searchPath } from './services/search-path.ts'
import { tempDir } from './temp-dir.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/** What to do where {@link findChromium} finds nothing. */
export const CHROMIUM_MISSING =
  'There is no Chromium on the PATH, so nothing is tested in a browser. Install it: apt-get update && apt-get install -y --no-install-recommends chromium'

/** The path of a Chromium that is installed, or null. */
export function findChromium(): string | null {
  return searchPath(NAMES, process.env)[0] ?? null
}

/** Starts a Chromium without a window, that asks nobody on the network for anything of its own. */
export function launchChromium(executablePath: string, userDataDir: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(userDataDir, {
    executablePath,
    headless: true,
    viewport: { width: 1000, height: 700 },
    args: [
      // Root, as CI runs it, has no sandbox.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/**
 * A page of a Chromium that is closed when the test has finished. Skips the test where there is none, and says so; with `CI`
 * set it fails.
 */
export async function openPage(context: TestContext): Promise<Page> {
  const executable = findChromium()
  if (executable === null) {
    if (process.env['CI']) throw new Error(CHROMIUM_MISSING)
    console.error(`\n!! ${CHROMIUM_MISSING}\n`)
    return context.skip(CHROMIUM_MISSING)
  }
  const browser = await launchChromium(executable, await tempDir())
  onTestFinished(() => browser.close())
  return browser.pages()[0] ?? (await browser.newPage())
}

/** Makes a page's network take its time: over loopback all would be there before a hand has moved. 0: as fast as it is. */
export async function slowDown(page: Page, bytesPerSecond: number): Promise<void> {
  await emulate(page, false, bytesPerSecond === 0 ? -1 : bytesPerSecond)
}

/** Takes a page's network away, with all that is on its way, and gives it back. */
export async function setOffline(page: Page, offline: boolean): Promise<void> {
  await emulate(page, offline, -1)
}

const sessions = new WeakMap<Page, CDPSession>()

async function emulate(page: Page, offline: boolean, throughput: number): Promise<void> {
  // One session of each page: of several all hold at once.
  const session = sessions.get(page) ?? (await page.context().newCDPSession(page))
  sessions.set(page, session)
  const conditions = { offline, latency: 0, downloadThroughput: throughput, uploadThroughput: throughput }
  await session.send('Network.emulateNetworkConditions', conditions)
}
