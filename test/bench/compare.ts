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

/** How often, and what is shown meanwhile. */
export interface Turns {
  readonly rounds: number
  /** Whether one more round comes first and does not count, where there is more than one. @default true */
  readonly warmsUp?: boolean
  /** A name among the figures. @default 'mibPerSecond' */
  readonly told?: string
}

/**
 * Runs them in turn, round for round, on the same machine in the same minutes. Every other round goes backwards: what one leaves
 * to the next (memory that was just freed, or was not used for long) is not always the same one's.
 */
export async function compare(
  contenders: readonly Contender[],
  { rounds, warmsUp = true, told = 'mibPerSecond' }: Turns,
): Promise<Results> {
  const results = new Map(contenders.map(({ name }): [string, Figures[]] => [name, []]))
  for (let round = warmsUp && rounds > 1 ? -1 : 0; round < rounds; round += 1) {
    const inTurn = round % 2 === 0 ? contenders : contenders.toReversed()
    for (const { name, subject, task, ground } of inTurn) {
      const figures = await run(subject, task, ground)
      process.stderr.write(`  ${name}: ${told} ${figures[told]?.toFixed(1)}\n`)
      if (round >= 0) results.get(name)?.push(figures)
    }
  }
  return results
}
