import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type CountedBefore, Tally } from './tally.ts'

/** What is counted of a campaign. */
export interface Tallies {
  readonly kills: Tally
  readonly errors: Tally
}

/** Counts of runs before this one, which a run goes on from; none, where there is no such file. */
export async function readTallies(path: string | undefined): Promise<Tallies> {
  const text = path === undefined ? null : await readFile(path, 'utf8').catch(() => null)
  if (text === null) return { kills: new Tally(), errors: new Tally() }
  const { kills, errors } = JSON.parse(text) as { readonly kills: CountedBefore; readonly errors: CountedBefore }
  return { kills: Tally.of(kills), errors: Tally.of(errors) }
}

/** Keeps them for the next run. */
export async function keepTallies(path: string | undefined, tallies: Tallies): Promise<void> {
  if (path === undefined) return
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `${JSON.stringify(tallies, null, 1)}\n`)
}
