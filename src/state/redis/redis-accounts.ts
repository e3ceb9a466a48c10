import { randomUUID } from 'node:crypto'
import type { RedisArgument, RedisClient } from '../../redis/client.ts'
import { uploadKey } from '../../redis/key.ts'
import { answered, type RedisScript, runScript } from '../../redis/script.ts'
import type { AccountLimits, AccountPlace, Accounts, Excess, Holding, NewHolding } from '../accounts.ts'
import { BEGIN_WALK, END_WALK, ENTER, IS_WHOLE, PAGE, RELEASE, RESERVE } from './account-scripts.ts'

/**
 * {@link Accounts} that many processes share. An owner's keys lie in one slot of a Cluster, and not in that of any of his
 * uploads: so no commit moves both, and the order of the two is what counts.
 */
export class RedisAccounts implements Accounts {
  readonly #redis: RedisClient
  readonly #prefix: string
  readonly #timeoutMs: number

  constructor(redis: RedisClient, prefix: string, timeoutMs: number) {
    this.#redis = redis
    this.#prefix = prefix
    this.#timeoutMs = timeoutMs
  }

  async isWhole(): Promise<boolean> {
    return (await this.#run(IS_WHOLE, [this.#walkKey()], [])) === 1
  }

  async beginWalk(): Promise<string> {
    const walk = randomUUID()
    await this.#run(BEGIN_WALK, [this.#walkKey()], [walk])
    return walk
  }

  async endWalk(walk: string): Promise<void> {
    await this.#run(END_WALK, [this.#walkKey()], [walk])
  }

  async reserve(owner: string, holding: NewHolding, limits: AccountLimits, now: number): Promise<Excess | null> {
    const args = [...holdingArgs(holding), limits.uploads ?? '', limits.bytes ?? '', now]
    const refusal = await this.#run(RESERVE, this.#keys(owner), args)
    if (refusal === null) return null
    const [of, ...numbers] = refusal as [Excess['of'], string, string, string]
    const [limit = 0, used = 0, requested = 0] = numbers.map(Number)
    return { of, limit, used, requested }
  }

  async enter(owner: string, holding: NewHolding): Promise<void> {
    await this.#run(ENTER, this.#keys(owner), holdingArgs(holding))
  }

  async release(owner: string, id: string): Promise<void> {
    await this.#run(RELEASE, this.#keys(owner), [id])
  }

  async page(owner: string, after: AccountPlace | null, limit: number): Promise<readonly Holding[]> {
    const page = await this.#run(PAGE, this.#keys(owner), [after?.at ?? '', after?.id ?? '', limit])
    return inPairs(page as readonly string[]).map(([id, text]) => {
      const [bytes = 0, at = 0, until = 0] = text.split(' ').map(Number)
      return { id, bytes, at, until }
    })
  }

  #keys(owner: string): readonly string[] {
    return [uploadKey(this.#prefix, owner, 'account'), uploadKey(this.#prefix, owner, 'open')]
  }

  #walkKey(): string {
    return `${this.#prefix}accounts`
  }

  #run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return answered(runScript(this.#redis, script, keys, args), this.#timeoutMs)
  }
}

function holdingArgs({ id, bytes, at, until, atLeast = false }: NewHolding): RedisArgument[] {
  return [id, bytes, at, until, atLeast ? 1 : 0]
}

function inPairs(list: readonly string[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = []
  for (let i = 0; i + 1 < list.length; i += 2) pairs.push([list[i] ?? '', list[i + 1] ?? ''])
  return pairs
}
