import type { SweepStep } from '../../src/index.ts'

type UploadStep = Extract<SweepStep, { type: 'upload' }>

/** Width of the words in front. */
const COLUMN = 10

/** How what did not come to its end is told. */
const ENDINGS = {
  planned: '',
  done: '',
  busy: ': left alone, somebody is at it',
  refused: ': left alone, beforeComplete has refused it',
  failed: ': FAILED',
} as const satisfies Record<UploadStep['outcome'], string>

/** Tells of a sweep, for people: a dry run and the sweep after it print the same lines, but for the last. */
export class SweepReport {
  readonly #dryRun: boolean
  readonly #counts = new Map<string, number>()
  #leftAlone = 0
  #failures = 0

  constructor(dryRun: boolean) {
    this.#dryRun = dryRun
  }

  /** How many steps failed. */
  get failures(): number {
    return this.#failures
  }

  /** What is said of a step. */
  line(step: SweepStep): string {
    if (step.type === 'failure') {
      this.#failures += 1
      return row('fail', `${step.id}  ${step.error instanceof Error ? step.error.message : String(step.error)}`)
    }
    const word = step.type === 'upload' ? step.action : WORDS[step.kind]
    if (step.outcome === 'failed') this.#failures += 1
    else if (step.outcome === 'busy' || step.outcome === 'refused') this.#leftAlone += 1
    else this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1)
    const what = step.type === 'upload' ? `${step.upload.manifest.id}  ${uploadText(step)}` : leftoverText(step)
    return row(word, what + ENDINGS[step.outcome])
  }

  /** The last line. */
  summary(visited: number): string {
    const done = [...this.#counts].map(([word, count]) => `${word} ${count}`)
    const others = [
      ...(this.#leftAlone === 0 ? [] : [`left alone ${this.#leftAlone}`]),
      ...(this.#failures === 0 ? [] : [`FAILED ${this.#failures}`]),
    ]
    const all = [...done, ...others]
    const what = all.length === 0 ? 'nothing to do' : all.join(', ')
    const looked = `${visited} ${visited === 1 ? 'upload' : 'uploads'} looked at; ${what}.`
    return this.#dryRun ? `Dry run, nothing was changed: ${looked}\n` : `Done: ${looked}\n`
  }
}

const WORDS = {
  'multipart upload': 'abort',
  object: 'delete',
  folder: 'delete',
  file: 'delete',
  claim: 'delete',
} as const satisfies Record<Extract<SweepStep, { type: 'leftover' }>['kind'], string>

function uploadText({ upload, action }: UploadStep): string {
  const { manifest, size, status, endedAt, ledger } = upload
  const name = JSON.stringify(manifest.fileName)
  switch (action) {
    case 'complete':
      return status === 'completing' ? `${name}, all bytes are there` : `${name}, to be made of its parts`
    case 'expire':
      return status === 'uploaded'
        ? `${name}, ${size ?? 0} bytes, finished ${timeText(endedAt)}`
        : `${name}, ${ledger.durableBytes} of ${size ?? 'yet unknown'} bytes, begun ${timeText(manifest.createdAt)}`
    case 'delete':
      return `${name}, bytes that are left of it, ${status} ${timeText(endedAt)}`
    case 'forget':
      return `${name}, ${status} ${timeText(endedAt)}`
    case 'tell':
      return `${name}, of which somebody is still to be told`
    case 'checksum':
      return `${name}, ${size ?? 0} bytes to be read for it`
  }
}

function leftoverText({ kind, name }: Extract<SweepStep, { type: 'leftover' }>): string {
  switch (kind) {
    case 'multipart upload':
      return `${name}, a multipart upload that no upload names`
    case 'claim':
      return `${name}, an Idempotency-Key whose day is over`
    default:
      return `${name}, left by a crash`
  }
}

function timeText(at: number | null): string {
  return at === null ? 'at an unknown time' : new Date(at).toISOString()
}

function row(word: string, what: string): string {
  return `${word.padEnd(COLUMN)}${what}\n`
}
