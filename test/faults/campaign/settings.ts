import { COMBINATIONS, type Combination } from './combination.ts'

/** Whether this is `npm run faults`; all tests run a campaign too, which is short. */
export const IS_WHOLE = process.env['FAULTS'] === 'all'

/** How much is done, by combination. */
export const GOAL = {
  kills: numberIn('FAULTS_KILLS', IS_WHOLE ? 260 : 2),
  errors: numberIn('FAULTS_ERRORS', IS_WHOLE ? 260 : 10),
  /** In every cell of the tables: only where there is the time for it. */
  inCell: numberIn('FAULTS_IN_CELL', IS_WHOLE ? 10 : 0),
  seconds: numberIn('FAULTS_SECONDS', IS_WHOLE ? 1800 : 10),
}

/** How many clients load a server, and for how long. */
export const LOAD = { clients: IS_WHOLE ? 1000 : 300, seconds: numberIn('FAULTS_LOAD_SECONDS', IS_WHOLE ? 300 : 5) }

/** How long a defect may stay unseen, seconds. */
export const PLANT_SECONDS = numberIn('FAULTS_PLANT_SECONDS', 300)

/** A file with the counts of runs before this one, to which those of this one are added. */
export const TALLIES = process.env['FAULTS_TALLIES']

/** Which combinations are tried. */
export const CHOSEN: readonly Combination[] = COMBINATIONS.filter((one) =>
  (process.env['FAULTS_COMBINATIONS'] ?? one).split(',').includes(one),
)

function numberIn(name: string, otherwise: number): number {
  const text = process.env[name]
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!(value >= 0)) throw new Error(`${name} must be a number from 0 on, not ${text}`)
  return value
}
