/**
 * Processes that do not outlive the one that starts them, however that ends.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { searchPath } from './search-path.ts'

const live = new Set<MortalProcess>()
const folders = new Set<string>()
let hooked = false

export interface MortalProcess {
  readonly pid: number
  /** True until it has ended, by itself or not. */
  running(): boolean
  /** Settles when it has ended. */
  readonly ended: Promise<void>
  /** Ends it with SIGKILL, which a stopped process obeys too. */
  kill(): Promise<void>
  /** The last lines that it has written to standard output and standard error. */
  lastWords(): string
}

/** Starts a process that is killed when this one ends, where it is not killed before. */
export function startMortal(command: readonly string[], logFile: string, env = process.env): MortalProcess {
  hook()
  const [file = '', ...args] = mortal(command)
  const log = openSync(logFile, 'a')
  const child = spawn(file, args, { stdio: ['ignore', log, log], env })
  closeSync(log)
  const gone = (): void => void live.delete(started)
  const ended = once(child, 'exit').then(gone, gone)
  // Never 0, which stands for this whole process group where signals are sent.
  if (child.pid === undefined) throw new Error(`${file} cannot be started`)
  const started: MortalProcess = {
    pid: child.pid,
    ended,
    running: () => live.has(started),
    kill: async () => {
      // A process that waits for the end of another does not end before it for want of something to do.
      child.ref()
      child.kill('SIGKILL')
      await ended
    },
    lastWords: () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-20).join('\n'),
  }
  live.add(started)
  child.unref()
  return started
}

/** A new empty folder that is gone when this process ends or calls {@link endAll}. */
export async function mortalFolder(name: string): Promise<string> {
  hook()
  const folder = await mkdtemp(join(tmpdir(), `holdfast-${name}-`))
  folders.add(folder)
  return folder
}

/** Removes a {@link mortalFolder} early. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  folders.delete(folder)
}

/** Ends every process that was started here, and removes every folder. */
export async function endAll(): Promise<void> {
  await Promise.all([...live].map((process) => process.kill()))
  await Promise.all([...folders].map(removeFolder))
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The kernel sees to it where util-linux can tell it; SIGKILL runs no exit handler. */
function mortal(command: readonly string[]): readonly string[] {
  const [setpriv] = process.platform === 'linux' ? searchPath(['setpriv'], process.env) : []
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', 'KILL', ...command]
}

function hook(): void {
  if (hooked) return
  hooked = true
  // A test's process whose run was killed goes on with its test.
  process.once('disconnect', () => void endAll())
  process.once('exit', () => {
    for (const { pid } of live) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended, and the event loop has not come to it.
      }
    }
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })
}
