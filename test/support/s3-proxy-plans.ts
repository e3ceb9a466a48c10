import type { Random } from './byte-source.ts'
import { drawn } from './cases.ts'
import { faultsOf, type S3Fault } from './s3-proxy-fault.ts'
import type { S3Life } from './s3-proxy-lives.ts'
import type { S3Request } from './s3-proxy-request.ts'
import type { S3Trial } from './s3-proxy-trial.ts'

/** A life that was lived with nothing failing. */
export interface LivedLife {
  readonly life: S3Life
  readonly requests: readonly S3Request[]
}

const WHEN = ['before', 'after'] as const

/** How much is tried. */
export interface SingleFailures {
  /** Whether the server tries requests to S3 again. */
  readonly retries: boolean
  /** Every request of every life, in each way in which it may fail. */
  readonly everyWay: boolean
  /** Else so many drawn beside the first and the last of each life, before and after they took effect. */
  readonly others: number
}

/**
 * Requests of these lives fail once, before or after they took effect. Ways of failing take turns, request by request of
 * the same name; a seed says which begins, and which requests it are.
 */
export function singleFailures(
  lived: readonly LivedLife[],
  random: Random,
  { retries, everyWay, others }: SingleFailures,
): S3Trial[] {
  const turns = new Map<string, number>()
  const turnOf = (name: string): number => {
    const turn = turns.get(name) ?? random.int(0, 100)
    turns.set(name, turn + 1)
    return turn
  }
  const trials: (S3Trial & { readonly kind: string })[] = []
  for (const { life, requests } of lived) {
    for (const [at, request] of requests.entries()) {
      for (const when of WHEN) {
        const ways = everyWay ? faultsOf(request, when).length : 1
        for (let way = 0; way < ways; way += 1) {
          const turn = everyWay ? way : turnOf(`${request.name} ${when}`)
          const plan: S3Trial['plan'] = (nth, met) => (nth === at + 1 ? nthOf(faultsOf(met, when), turn) : null)
          trials.push({ kind: `${life.title} ${when}`, life, retries, plan })
        }
      }
    }
  }
  // Those that wait for an answer do not all wait at the same time.
  return random.shuffle(everyWay ? trials : drawn(trials, ({ kind }) => kind, others, random))
}

/** Two requests fail, one right after the other, drawn like the ways in which they do. */
export function doubleFailures(lived: readonly LivedLife[], random: Random, count: number): S3Trial[] {
  const places = lived.flatMap(({ life, requests }) => requests.slice(1).map((_, at) => ({ life, first: at + 1 })))
  return Array.from({ length: count }, () => {
    const { life, first } = places[random.int(0, places.length - 1)]!
    const turns = [random.int(0, 1000), random.int(0, 1000)]
    return {
      life,
      retries: random.chance(0.5),
      plan: (nth, met) => {
        const turn = turns[nth - first]
        return turn === undefined ? null : nthOf(faultsOf(met), turn)
      },
    }
  })
}

/** One of them, whatever the number: in parallel, requests do not come in the same order each time. */
function nthOf(faults: readonly S3Fault[], turn: number): S3Fault | null {
  return faults[turn % faults.length] ?? null
}
