import { type BrowserContext, chromium } from 'playwright-core'
import { searchPath } from './services/search-path.ts'

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
