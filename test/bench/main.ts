/**
 * `npm run bench`: Holdfast and its peers, in turn, on this machine, the client in a process of its own; see BENCHMARKS.md,
 * whose tables it writes, and settings.ts, which says what variables there are.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findCeph } from '../support/services/ceph-program.ts'
import { endAll } from '../support/services/mortal-process.ts'
import { findNginx } from '../support/services/nginx-program.ts'
import { PROJECT_ROOT } from '../support/services/project-root.ts'
import { findRedis } from '../support/services/redis-program.ts'
import { ServiceMissing } from '../support/services/service-missing.ts'
import { whereabouts } from '../support/services/whereabouts.ts'
import type { Context, Part } from './context.ts'
import { machineText, subjectsText } from './machine.ts'
import { completion } from './parts/completion.ts'
import { counts } from './parts/counts.ts'
import { disk } from './parts/disk.ts'
import { flat } from './parts/flat.ts'
import { json } from './parts/json.ts'
import { polling } from './parts/polling.ts'
import { s3 } from './parts/s3.ts'
import { small } from './parts/small.ts'
import { withRegion } from './report.ts'
import { type PartName, readSettings, type Settings } from './settings.ts'
import { watchStrangers } from './strangers.ts'
import { findTusd } from './subjects/tusd.ts'

const MIB = 1024 ** 2
const FILE = join(PROJECT_ROOT, 'BENCHMARKS.md')
const WORK: Readonly<Record<PartName, Part>> = { disk, json, small, polling, s3, counts, flat, completion }

async function bench(settings: Settings): Promise<void> {
  const where = whereabouts()
  const context: Context = {
    settings,
    tusd: findTusd(where.env),
    nginx: await orNone(findNginx(where).then(({ nginx }) => nginx)),
    ceph: await orNone(findCeph(where)),
    redis: await orNone(findRedis(where)),
  }
  await report(settings, 'machine', `${await machineText()}\n${await subjectsText(context)}`)
  for (const part of settings.only) {
    const began = Date.now()
    const strangers = await watchStrangers()
    process.stderr.write(`${part}\n`)
    try {
      const text = await WORK[part](context)
      const spent = `${((Date.now() - began) / 60_000).toFixed(0)} minutes; others took ${(await strangers()).toFixed(0)} % of the machine.`
      await report(settings, part, `${heading(settings)}, ${spent}\n\n${text}`)
    } catch (error) {
      // The others are worth having all the same.
      process.stderr.write(`${part} came to nothing: ${String(error)}\n`)
      process.exitCode = 1
    }
  }
}

/** Prints what was found and, where it is wanted, puts it in its place in the report, so that a run that breaks off has not been in vain. */
async function report({ write }: Settings, name: string, text: string): Promise<void> {
  console.log(`\n## ${name}\n\n${text}`)
  if (write) await writeFile(FILE, withRegion(await readFile(FILE, 'utf8'), name, text))
}

function heading({ rounds, bytes, s3Bytes }: Settings): string {
  const day = new Date().toISOString().slice(0, 10)
  const size = `${bytes / MIB} MiB a run on disk, ${s3Bytes / MIB} MiB on S3`
  return `${day}, ${rounds} round${rounds === 1 ? '' : 's'}, ${size}`
}

async function orNone<T>(finding: Promise<T>): Promise<T | undefined> {
  try {
    return await finding
  } catch (error) {
    if (!(error instanceof ServiceMissing)) throw error
    process.stderr.write(`${error.message}\n`)
    return undefined
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(1)))
}
try {
  await bench(readSettings(process.env))
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await endAll()
}
