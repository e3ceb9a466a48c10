import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Wire } from '../../support/http-wire.ts'
import { keysWith } from './leftovers.ts'
import type { World } from './world.ts'

const FOLDER = fileURLToPath(new URL('../../../.cache/faults', import.meta.url))

/** An error, with what can be seen of its uploads. */
export async function traced(world: World, wire: Wire, error: unknown, ids: readonly string[]): Promise<Error> {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const seen = await Promise.all(ids.map((id) => look(world, wire, id)))
  return new Error([text, ...seen].join('\n'), { cause: error })
}

async function look({ bucket, directory }: World, wire: Wire, id: string): Promise<string> {
  const progress = await wire.send('GET', `/api/v1/uploads/${id}/progress`, { patienceMs: 4000 }).catch(String)
  const told = typeof progress === 'string' ? progress : `${progress.status} ${progress.body.toString()}`
  const journal = join(directory, 'data', 'uploads', id, 'journal')
  const stored = bucket === null ? [await readFile(journal, 'latin1').catch(String)] : await keysWith(bucket, [id])
  return [`Upload ${id}: ${told}`, ...stored].join('\n')
}

/** Keeps what nodes wrote, for people. Returns where. */
export async function keepOutput(name: string, output: string): Promise<string> {
  await mkdir(FOLDER, { recursive: true })
  await writeFile(join(FOLDER, name), output)
  return join(FOLDER, name)
}
