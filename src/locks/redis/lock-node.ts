import { randomUUID } from 'node:crypto'
import { UploadError } from '../../errors.ts'
import type { RedisClient, RedisSubscriber } from '../../redis/client.ts'
import { answered } from '../../redis/script.ts'
import type { LockRequest } from '../locker.ts'
import { Leases } from './leases.ts'
import { type AcquireScript, LockScripts, readStanding, STANDING_VALUES } from './lock-scripts.ts'
import { readMessage } from './message.ts'
import { callSafely, Party, type PartyHost } from './party.ts'
import { Subscription } from './subscription.ts'
import { locked } from './turn.ts'

/** The part of ioredis' `Redis` or `Cluster` that a locker calls. */
export interface LockerRedis extends RedisClient {
  /** Makes the connection that listens; that one belongs to the locker. */
  duplicate(): RedisSubscriber
}

/** What a {@link LockNode} needs. */
export interface LockNodeOptions {
  readonly redis: LockerRedis
  readonly prefix: string
  readonly leaseMs: number
  readonly commandTimeoutMs: number
  readonly onLost: (id: string) => void
}

/** This process among all that share the locks: its tokens, its timer, its ear. */
export class LockNode implements PartyHost {
  readonly leaseMs: number
  readonly commandTimeoutMs: number
  readonly scripts: LockScripts
  readonly #channel: string
  readonly #leases: Leases
  readonly #subscription: Subscription
  readonly #onLost: (id: string) => void
  readonly #farewells = new Set<Promise<void>>()
  #closed: UploadError | null = null

  constructor({ redis, prefix, leaseMs, commandTimeoutMs, onLost }: LockNodeOptions) {
    this.leaseMs = leaseMs
    this.commandTimeoutMs = commandTimeoutMs
    this.scripts = new LockScripts(redis)
    this.#channel = `${prefix}locks:${randomUUID()}`
    this.#onLost = onLost
    this.#leases = new Leases({ scripts: this.scripts, leaseMs, commandTimeoutMs })
    this.#subscription = new Subscription({
      channel: this.#channel,
      connect: () => redis.duplicate(),
      onMessage: (message) => this.#hear(message),
      onChange: () => this.#leases.lookAround(),
    })
  }

  /** How many locks are held or wanted here. */
  get size(): number {
    return this.#leases.size
  }

  /** Waits until a token of this request holds. */
  async acquire(id: string, key: string, request: LockRequest, script?: AcquireScript): Promise<Party> {
    if (this.#closed !== null) throw this.#closed
    if (request.signal?.aborted) throw locked(request.signal.reason)
    const party = new Party(this, id, key, request)
    const { turn } = party
    this.#leases.add(party)
    // Not waited for: when it stands, and until it does, holders look by themselves whether they were asked.
    if (request.onAsked !== undefined) this.#subscription.open()
    void this.#enter(party, script)
    try {
      await turn?.over
    } catch (error) {
      const gone = this.letGo(party)
      // Before the refusal is told, the wish is out of the queue, unless Redis is away.
      if (error instanceof UploadError && error.code === 'UPLOAD_LOCKED') await gone
      throw error
    }
    return party
  }

  /** Ends a party, here and in Redis. Where Redis is away its lease ends there by itself. It never throws. */
  async letGo(party: Party): Promise<void> {
    this.end(party)
    if (!party.isKnown) return
    const farewell = this.#sayGoodbye(party)
    this.#farewells.add(farewell)
    await farewell
    this.#farewells.delete(farewell)
  }

  /** Ends a party that Redis does not know any more. */
  end(party: Party): void {
    party.end()
    this.#leases.delete(party)
  }

  async close(): Promise<void> {
    this.#closed ??= new UploadError('STATE_UNAVAILABLE', { cause: new Error('The locker was closed.') })
    this.#leases.close(this.#closed)
    this.#subscription.close()
    // Those refused say goodbye a few turns later.
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.all(this.#farewells)
  }

  isReachable(): boolean {
    this.#subscription.open()
    return this.#subscription.stands
  }

  plan(party: Party): void {
    this.#leases.plan(party)
  }

  enterAgain(party: Party): void {
    void this.#enter(party)
  }

  lost(party: Party): void {
    this.#leases.delete(party)
    void callSafely(party.request.onLost ?? (() => {}))
    void callSafely(() => this.#onLost(party.id))
  }

  async #enter(party: Party, script?: AcquireScript): Promise<void> {
    try {
      await answered(this.#sendWish(party, script), this.commandTimeoutMs)
    } catch (error) {
      party.isLooking = false
      party.failed(error as Error)
    }
  }

  async #sendWish(party: Party, script: AcquireScript | undefined): Promise<void> {
    const { scope, waitMs, ask = false, onAsked } = party.request
    const wish = {
      token: party.token,
      leaseMs: this.leaseMs,
      scope,
      asks: ask,
      askable: onAsked !== undefined,
      waits: waitMs > 0,
      channel: this.#channel,
    }
    const sentAt = performance.now()
    party.isLooking = true
    party.sentAt(sentAt)
    const reply = await this.scripts.acquire(party.key, wish, script)
    party.isLooking = false
    const standing = readStanding(reply)
    if (!party.isOver) {
      party.reply = reply.slice(STANDING_VALUES)
      party.heard(standing, sentAt)
    } else if (standing.waits || standing.holds) {
      // Too late: nobody waits for it any more.
      await this.#sayGoodbye(party)
    }
  }

  async #sayGoodbye({ key, token }: Party): Promise<void> {
    await answered(this.scripts.release(key, token), this.commandTimeoutMs).catch(() => {})
  }

  #hear(text: string): void {
    const message = readMessage(text)
    const party = message === null ? undefined : this.#leases.find(message.token)
    if (message?.type === 'granted') party?.granted()
    else if (message?.type === 'asked') party?.asked()
    else if (message?.type === 'moved') party?.moved(message.move)
  }
}
