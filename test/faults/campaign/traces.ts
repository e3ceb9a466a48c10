import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Wire } from '../../support/http-wire.ts'
import { keysWith } from './leftovers.ts'
import type { World } from './world.ts'

const FOLDER = fileURLToPath(new URL('../../../.cache/faults', import.meta.url))

/** An error, with what can be seen of its upload. */
export async function traced({ bucket }: World, wire: Wire, error: unknown, id: string | null): Promise<Error> {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (id === null) return new Error(text, { cause: error })
  const progress = await wire.send('GET', `/api/v1/uploads/${id}/progress`, { patienceMs: 4000 }).catch(String)
  const told = typeof progress === 'string' ? progress : `${progress.status} ${progress.body.toString()}`
  const fileId = /"fileId":"([^"]+)"/.exec(told)?.[1] ?? id
  const keys = bucket === null ? [] : await keysWith(bucket, [id, fileId])
  return new Error(`${text}\nUpload ${id}: ${told}\n${keys.join('\n')}`, { cause: error })
}

/** Keeps what nodes wrote, for people. Returns where. */
export async function keepOutput(name: string, output: string): Promise<string> {
  await mkdir(FOLDER, { recursive: true })
  await writeFile(join(FOLDER, name), output)
  return join(FOLDER, name)
}
