import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { ICON } from './page.ts'

/** One file of the page. */
export interface PageFile {
  /** Its address below the page's own. */
  readonly path: string
  readonly type: string
  readonly read: () => Promise<string>
}

const SCRIPT = 'text/javascript; charset=utf-8'
/** What the page's modules are, as they import each other. */
const FOLDERS = ['adapters/client', 'adapters/standalone/page/browser'] as const
const MODULES = ['adapters/standalone/format-bytes.js'] as const

/** The modules of the page as the compiler has made them, its icon, and tus-js-client as its package brings it for pages. */
export async function pageFiles(): Promise<{
  readonly modules: readonly PageFile[]
  readonly others: readonly PageFile[]
}> {
  const root = new URL('../../../', import.meta.url)
  const inFolders = await Promise.all(
    FOLDERS.map(async (folder) => {
      const names = await readdir(new URL(`${folder}/`, root))
      return names.filter((name) => name.endsWith('.js')).map((name) => `${folder}/${name}`)
    }),
  )
  const modules = [...inFolders.flat(), ...MODULES].map((path) => ({
    path: `page/${path}`,
    type: SCRIPT,
    read: () => readFile(fileURLToPath(new URL(path, root)), 'utf8'),
  }))
  const tusJs = createRequire(import.meta.url).resolve('tus-js-client/dist/tus.min.js')
  return {
    modules,
    others: [
      { path: TUS_JS, type: SCRIPT, read: () => readFile(tusJs, 'utf8') },
      { path: 'page/icon.svg', type: 'image/svg+xml', read: async () => ICON },
    ],
  }
}

/** Address of tus-js-client. */
export const TUS_JS = 'page/tus.min.js'
/** Address of the module that begins. */
export const MAIN = 'page/adapters/standalone/page/browser/main.js'
