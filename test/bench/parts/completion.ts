import { compare, type Contender } from '../compare.ts'
import type { Context } from '../context.ts'
import { prepareUpload } from '../prepared-upload.ts'
import { paragraphs, spreadText, table } from '../report.ts'
import type { Task } from '../run.ts'
import { holdfast } from '../subjects/holdfast.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const SIZES = [
  ['1 MiB', MIB],
  ['1 GiB', GIB],
  ['100 GiB', 100 * GIB],
] as const

/** A way to complete, and what may make it depend on the file's size. */
interface Way {
  readonly name: string
  readonly checksum: 'full' | 'composite'
  /** All bytes sent to one server in order, or the last chunk to one that was just started. */
  readonly whole: Task['workload']
  readonly last: Task['workload']
}

const WAYS: readonly Way[] = [
  { name: 'tus: the last PATCH', checksum: 'full', whole: 'whole-tus', last: 'last-tus' },
  { name: 'JSON: complete, FILE_CHECKSUM=composite', checksum: 'composite', whole: 'whole-json', last: 'last-json' },
  {
    name: 'JSON: complete with Prefer: wait=0',
    checksum: 'full',
    whole: 'whole-json-at-once',
    last: 'last-json-at-once',
  },
  { name: 'JSON: complete, as it is', checksum: 'full', whole: 'whole-json', last: 'last-json' },
]

/** How long it takes to complete files of very different sizes. */
export async function completion({ settings }: Context): Promise<string> {
  const rounds = Math.min(settings.rounds, 3)
  const cells = new Map(WAYS.map(({ name }): [string, string[]] => [name, []]))
  const heads: string[] = []
  for (const [title, size] of SIZES) {
    const largest = size > settings.bytes
    for (const way of largest ? (['after a restart'] as const) : (['in order', 'after a restart'] as const)) {
      const results = await compare(contenders(size, way), { rounds, told: 'completeMs' })
      heads.push(`${title}, ${way}`)
      for (const [name, runs] of results) {
        cells.get(name)?.push(
          spreadText(
            runs.map(({ completeMs = Number.NaN }) => completeMs),
            0,
          ),
        )
      }
    }
  }
  return paragraphs(
    `ms until the answer that says the file is there, on disk, FSYNC=complete; rounds: ${rounds}.`,
    table(
      ['', ...heads],
      [...cells].map(([name, row]) => [name, ...row]),
    ),
  )
}

function contenders(size: number, how: 'in order' | 'after a restart'): readonly Contender[] {
  return WAYS.map(({ name, checksum, whole, last }) => {
    const subject = holdfast({ FILE_CHECKSUM: checksum })
    if (how === 'in order') return { name, subject, task: { workload: whole, bytes: size }, ground: { settles: false } }
    const prepare = (folder: string): Promise<Partial<Task>> => prepareUpload(folder, size)
    return { name, subject, task: { workload: last, bytes: size }, ground: { prepare, settles: false } }
  })
}
