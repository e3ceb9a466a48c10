import { createRequire } from 'node:module'
import type { Logger } from 'pino'
import { type Command, readCommand } from './command.ts'
import type { Configuration } from './configuration.ts'
import { ConfigurationError } from './configuration-error.ts'
import { endProcess } from './end-process.ts'
import { giveHeapHeadroom } from './heap-headroom.ts'
import { helpText } from './help.ts'
import { inspect } from './inspect.ts'
import { createLog } from './log.ts'
import { stopOnSignals } from './stop-on-signals.ts'
import { UPLOAD_HELP } from './upload/upload-help.ts'
import { runUpload } from './upload/run-upload.ts'

/** Exit codes: 1 for a failure, 2 for a command that cannot be followed. */
const FAILURE = 1
const USAGE = 2

await run(readCommandOrExit())

async function run(command: Command): Promise<void> {
  switch (command.type) {
    case 'help':
      return void process.stdout.write(helpText())
    case 'version':
      return void process.stdout.write(`${version()}\n`)
    case 'inspect':
      return void process.stdout.write(await orRefuse(inspect(command)))
    case 'upload':
      return void (process.exitCode = await runUpload(command))
    case 'upload-help':
      return void process.stdout.write(UPLOAD_HELP)
    case 'sweep':
      return runSweep(command)
    case 'serve':
      return serve(command.configuration)
  }
}

async function runSweep(command: Extract<Command, { type: 'sweep' }>): Promise<void> {
  const { sweep } = await import('./sweep.ts')
  const went = await orRefuse(sweep(command, (line) => void process.stdout.write(line)))
  process.exitCode = went ? 0 : FAILURE
}

async function serve(configuration: Configuration): Promise<void> {
  // Only now: who uploads does not wait for it.
  const { startServer } = await import('./server.ts')
  const log = createLog(configuration)
  endOnLostErrors(log)
  giveHeapHeadroom()
  // Until it has started there is nothing that a kill would harm.
  let close = async (): Promise<void> => {}
  stopOnSignals({ close: () => close(), timeoutMs: configuration.SHUTDOWN_TIMEOUT, log })
  close = await orRefuse(startServer(configuration, log))
}

function readCommandOrExit(): Command {
  try {
    return readCommand(process.argv.slice(2), process.env)
  } catch (error) {
    if (error instanceof ConfigurationError) return refuse(error.message, USAGE)
    throw error
  }
}

async function orRefuse<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error), FAILURE)
  }
}

/** Ends the process with one line that says why. */
function refuse(message: string, code: number): never {
  process.stderr.write(`holdfast: ${message.replace(/^holdfast: /, '').replaceAll('\n', ' ')}\n`)
  process.exit(code)
}

/** After an error that nobody caught, nothing is known of what the process would do next. What is acknowledged is durable. */
function endOnLostErrors(log: Logger): void {
  const end = (error: unknown): void => {
    log.fatal({ err: error }, 'an error that nobody caught')
    endProcess(FAILURE)
  }
  process.on('uncaughtException', end).on('unhandledRejection', end)
}

function version(): string {
  // By the package's own name, so that it is found from the source and from the build.
  const { version: text }: { version: string } = createRequire(import.meta.url)('holdfast/package.json')
  return text
}
