#!/usr/bin/env node
import { createRequire } from 'node:module'
import { pino, type Logger } from 'pino'
import { ConfigurationError, readCommand, type Command, type Configuration } from './configuration.ts'
import { helpText } from './help.ts'
import { startServer } from './server.ts'
import { stopOnSignals } from './stop-on-signals.ts'

/** Exit codes: 1 for a failure, 2 for a command that cannot be followed. */
const FAILURE = 1
const USAGE = 2

run(readCommandOrExit())

function run(command: Command): void {
  if (command.type === 'help') process.stdout.write(helpText())
  else if (command.type === 'version') process.stdout.write(`${version()}\n`)
  else void serve(command.configuration)
}

async function serve(configuration: Configuration): Promise<void> {
  const log = pino({ level: configuration.LOG_LEVEL })
  endOnLostErrors(log)
  try {
    // Until it has started there is nothing that a kill would harm.
    let close = async (): Promise<void> => {}
    stopOnSignals({ close: () => close(), timeoutMs: configuration.SHUTDOWN_TIMEOUT, log })
    close = await startServer(configuration, log)
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error), FAILURE)
  }
}

function readCommandOrExit(): Command {
  try {
    return readCommand(process.argv.slice(2), process.env)
  } catch (error) {
    if (error instanceof ConfigurationError) return refuse(error.message, USAGE)
    throw error
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
    process.exit(FAILURE)
  }
  process.on('uncaughtException', end).on('unhandledRejection', end)
}

function version(): string {
  // By the package's own name, so that it is found from the source and from the build.
  const { version: text }: { version: string } = createRequire(import.meta.url)('holdfast/package.json')
  return text
}
