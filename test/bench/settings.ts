const MIB = 1024 ** 2

/** The parts of the benchmark, in the order in which they run. */
const PARTS = ['disk', 'json', 'small', 'polling', 's3', 'counts', 'flat', 'completion'] as const
export type PartName = (typeof PARTS)[number]

/** What the variables ask for. */
export interface Settings {
  readonly only: readonly PartName[]
  /** Rounds that count. Where there is more than one, one more warms the machine up. */
  readonly rounds: number
  /** Bytes of a run on disk. */
  readonly bytes: number
  /** Bytes of a run on S3, which is kept in memory here. */
  readonly s3Bytes: number
  /** Small files of a run. */
  readonly files: number
  /** Chunks of the upload whose cost per chunk is looked at. */
  readonly chunks: number
  /** Whether `BENCHMARKS.md` is written. */
  readonly write: boolean
}

/** Reads the variables. @throws Error in one line where one says something that is not understood */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const count = (name: string, standard: number): number => {
    const value = Number(env[name] || standard)
    if (Number.isInteger(value) && value > 0) return value
    throw new Error(`${name} is ${env[name]}; it must be a whole number from 1.`)
  }
  const bytes = count('BENCH_MIB', 1024) * MIB
  return {
    only: parts(env['BENCH_ONLY']),
    rounds: count('BENCH_ROUNDS', 5),
    bytes,
    s3Bytes: count('BENCH_S3_MIB', Math.min(256, bytes / MIB)) * MIB,
    files: count('BENCH_FILES', 2000),
    chunks: count('BENCH_CHUNKS', 10_000),
    write: env['BENCH_WRITE'] !== 'no',
  }
}

function parts(text: string | undefined): readonly PartName[] {
  if (!text) return PARTS
  const named = text.split(',').map((name) => name.trim())
  const unknown = named.find((name) => !PARTS.some((part) => part === name))
  if (unknown !== undefined) throw new Error(`BENCH_ONLY names ${unknown}; there are ${PARTS.join(', ')}.`)
  return PARTS.filter((part) => named.includes(part))
}
