import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../dist/adapters/standalone/start.cjs', import.meta.url))

/** A real server in a process of its own. */
export interface ServerProcess {
  /** Scheme, host and port, without a slash at the end. */
  readonly url: string
  readonly pid: number
  /** What it has written to standard output and standard error. */
  output(): string
  /** Sends a signal and waits for the end; the exit code, or null where a signal ended it. */
  kill(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts the compiled server as `npm start` does, on a free port, and waits for its start-up line. */
export async function startServerProcess(
  dataDir: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const child = launch({ PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'info', ...variables })
  const lines: string[] = []
  child.stderr.on('data', (data: Buffer) => lines.push(data.toString()))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line)
      const found = /http:\/\/[\d.a-z:[\]]+(?=\/files)/.exec(line)
      if (found !== null) resolve(found[0])
    })
    child.once('exit', (code) =>
      reject(new Error(`the server ended with ${code} before it listened:\n${lines.join('\n')}`)),
    )
  })
  return {
    url,
    pid: child.pid ?? 0,
    output: () => lines.join('\n'),
    kill: async (signal = 'SIGKILL') => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      const exited = once(child, 'exit')
      child.kill(signal)
      await exited
      return child.exitCode
    },
  }
}

/** Runs the server until it ends by itself: for starts that are refused. */
export async function runServerProcess(
  variables: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = launch(variables, args)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  await once(child, 'close')
  return { code: child.exitCode, stdout, stderr }
}

function launch(
  variables: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): ChildProcessByStdio<null, Readable, Readable> {
  const { PATH = '' } = process.env
  return spawn(process.execPath, [MAIN, ...args], {
    env: { PATH, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
