import type { Logger } from 'pino'
import { endProcess } from './end-process.ts'

/** What is stopped, and how long that may take. */
export interface StopOptions {
  readonly close: () => Promise<void>
  readonly timeoutMs: number
  readonly log: Logger
}

/**
 * Closes on SIGTERM and SIGINT and ends the process: with 0 when all is closed, with 1 when that fails or takes too long,
 * or at a second signal. See {@link endProcess} for when that is a SIGKILL.
 */
export function stopOnSignals({ close, timeoutMs, log }: StopOptions): void {
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      log.warn(`${signal} again: ending at once`)
      endProcess(1)
    }
    stopping = true
    log.info(`${signal}: shutting down; the bodies under way are ended, what they brought is kept`)
    setTimeout(() => {
      log.error(`the shutdown took longer than ${timeoutMs} ms (SHUTDOWN_TIMEOUT): ending at once`)
      endProcess(1)
    }, timeoutMs)
    close().then(
      () => {
        log.info('shut down')
        process.exit(0)
      },
      (error: unknown) => {
        log.error({ err: error }, 'the shutdown failed')
        endProcess(1)
      },
    )
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
}
