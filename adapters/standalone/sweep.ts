import { createUploads } from '../../src/index.ts'
import type { Configuration } from './configuration.ts'
import { coreOptions } from './core-options.ts'
import { createLog } from './log.ts'
import { createMetrics } from './metrics/metrics.ts'
import { createServices } from './services.ts'
import { storageError } from './start-errors.ts'
import { SweepReport } from './sweep-report.ts'

/** What is swept, and whether it is only told. */
export interface SweepCommand {
  readonly configuration: Configuration
  readonly dryRun: boolean
}

/**
 * One sweep: a line for each thing that is done, or would be, and a summary. Its log is on standard error. Returns whether
 * nothing failed.
 * @throws Error in one line, for the operator, when storage or state cannot be had
 */
export async function sweep({ configuration, dryRun }: SweepCommand, print: (line: string) => void): Promise<boolean> {
  const log = createLog(configuration, 2)
  const services = await createServices(configuration, log, createMetrics(), { ownerWaitMs: 0 })
  const uploads = createUploads({
    storage: services.storage,
    state: services.state,
    ...coreOptions(configuration),
    onError: (error, where) => log.error({ err: error }, where),
  })
  const report = new SweepReport(dryRun)
  try {
    const visited = await uploads.sweep({ dryRun, onStep: (step) => print(report.line(step)) })
    print(report.summary(visited))
    if (dryRun && configuration.REDIS_URL === null) print(`${MEMORY_NOTE}\n`)
    return report.failures === 0
  } catch (error) {
    throw storageError(error, configuration)
  } finally {
    await uploads.close()
    await services.close()
  }
}

const MEMORY_NOTE =
  'Without REDIS_URL only the server knows when unfinished uploads expire: here their time counts anew, as after its restart.'
