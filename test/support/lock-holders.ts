import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { build } from 'vite'
import type { HolderNews, HolderOrder } from './lock-holder.ts'
import { makeTempDir } from './temp-dir.ts'

const SOURCE = fileURLToPath(new URL('lock-holder.ts', import.meta.url))

/** A process that holds a lock. */
export interface HolderProcess {
  readonly child: ChildProcess
  /** Resolves when it has told of this. */
  heard(event: HolderNews['event']): Promise<HolderNews>
  order(order: HolderOrder): void
}

/** Compiles the holder's program; its path. Removing it is the caller's. */
export async function compileHolder(): Promise<{ readonly directory: string; readonly program: string }> {
  const directory = await makeTempDir()
  await build({
    configFile: false,
    logLevel: 'error',
    ssr: { noExternal: true },
    build: { ssr: SOURCE, outDir: directory, rolldownOptions: { output: { entryFileNames: 'holder.mjs' } } },
  })
  return { directory, program: join(directory, 'holder.mjs') }
}

/** Starts a process that takes a lock; it is gone when the test has finished. */
export function startHolder(program: string, args: readonly [url: string, ...string[]]): HolderProcess {
  const child = fork(program, args, { execArgv: [] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const told = new Map<string, HolderNews>()
  child.on('message', (news: HolderNews) => {
    told.set(news.event, news)
    child.emit(`told ${news.event}`)
  })
  return {
    child,
    heard: async (event) => {
      while (!told.has(event)) await once(child, `told ${event}`)
      return told.get(event)!
    },
    order: (order) => void child.send(order),
  }
}
