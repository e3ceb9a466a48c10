import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** In the project, so that what is compiled finds the packages it imports. */
const CACHE = fileURLToPath(new URL('../../.cache', import.meta.url))

/** A program of this folder that Node can run. */
export interface CompiledProgram {
  readonly path: string
  remove(): Promise<void>
}

/** Compiles a program of this folder with all of the project that it imports; packages are imported when it runs. */
export async function compileProgram(fileName: string): Promise<CompiledProgram> {
  await mkdir(CACHE, { recursive: true })
  const outDir = await mkdtemp(join(CACHE, 'program-'))
  const ssr = fileURLToPath(new URL(fileName, import.meta.url))
  await build({
    configFile: false,
    logLevel: 'error',
    build: { ssr, outDir, rolldownOptions: { output: { entryFileNames: 'program.mjs' } } },
  })
  return { path: join(outDir, 'program.mjs'), remove: () => rm(outDir, { recursive: true, force: true }) }
}
