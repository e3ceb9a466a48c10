import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { compileProgram } from './compiled-program.ts'

/** A stock @tus/server in a process of its own. */
export interface StockTus {
  /** Where it creates uploads. */
  readonly endpoint: URL
  /** Kills it. Idempotent. */
  stop(): Promise<void>
}

/** Starts a stock @tus/server over its file store in a directory. */
export async function startStockTus(directory: string): Promise<StockTus> {
  const program = await compileProgram('stock-tus-server.ts')
  const child = spawn(process.execPath, [program.path, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return {
    endpoint: new URL(line.replace('listening on ', '')),
    stop: async () => {
      child.kill('SIGKILL')
      await closed
      await program.remove()
    },
  }
}
