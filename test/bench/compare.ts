import { type Figures, type Ground, run, type Task } from './run.ts'
import type { Subject } from './subject.ts'
import type { Results } from './tables.ts'

/** One row of a table. */
export interface Contender {
  readonly name: string
  readonly subject: Subject
  readonly task: Task
  readonly ground?: Ground
}

/** Runs them in turn, round for round, on the same machine in the same minutes. `told` is the figure that it shows meanwhile. */
export async function compare(
  contenders: readonly Contender[],
  rounds: number,
  told = 'mibPerSecond',
): Promise<Results> {
  const results = new Map(contenders.map(({ name }): [string, Figures[]] => [name, []]))
  // The first of several rounds warms the machine up and does not count.
  for (let round = rounds > 1 ? -1 : 0; round < rounds; round += 1) {
    for (const { name, subject, task, ground } of contenders) {
      const figures = await run(subject, task, ground)
      process.stderr.write(`  ${name}: ${told} ${figures[told]?.toFixed(1)}\n`)
      if (round >= 0) results.get(name)?.push(figures)
    }
  }
  return results
}
