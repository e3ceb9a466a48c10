import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of package.json, from here and from where `npm run services` compiles this to. */
export const PROJECT_ROOT = above(dirname(fileURLToPath(import.meta.url)))

function above(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : above(dirname(directory))
}
