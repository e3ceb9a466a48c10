import type { RedisSubscriber } from '../../redis/client.ts'

/** How long after a failure a new connection is tried, ms; it doubles with every one. */
const RETRY_MS = 250
const MAX_RETRY_MS = 30_000

/** What a {@link Subscription} needs. */
export interface SubscriptionOptions {
  readonly channel: string
  /** Makes a connection, which is ours then. */
  readonly connect: () => RedisSubscriber
  readonly onMessage: (message: string) => void
  /** Called when it stands, and when it stands no more: what was published in between is lost. */
  readonly onChange: () => void
}

/**
 * The one connection of a process that listens, opened when it is first needed. It is never mended: when it closes it is
 * thrown away, and a new one is made at the next need, so that no subscription stands that was not asked for here.
 */
export class Subscription {
  readonly #options: SubscriptionOptions
  #subscriber: RedisSubscriber | null = null
  #stands = false
  #failures = 0
  #retryAt = 0

  constructor(options: SubscriptionOptions) {
    this.#options = options
  }

  /** Whether messages arrive. */
  get stands(): boolean {
    return this.#stands
  }

  /** Opens it in the background, unless it is open, or failed just now. */
  open(): void {
    if (this.#subscriber !== null || performance.now() < this.#retryAt) return
    const { channel, connect, onMessage, onChange } = this.#options
    const subscriber = connect()
    this.#subscriber = subscriber
    let ready = false
    const drop = (): void => {
      if (this.#subscriber !== subscriber) return
      this.#failures += 1
      this.#retryAt = performance.now() + Math.min(RETRY_MS * 2 ** (this.#failures - 1), MAX_RETRY_MS)
      const stood = this.#stands
      this.#discard()
      if (stood) onChange()
    }
    const subscribe = async (): Promise<void> => {
      try {
        await subscriber.subscribe(channel)
      } catch {
        // A client without an offline queue refuses until it is ready.
        if (ready) drop()
        return
      }
      if (this.#subscriber !== subscriber || this.#stands) return
      this.#failures = 0
      this.#stands = true
      onChange()
    }
    // The lender's own connection has the same errors, and its owner hears of them there.
    subscriber.on('error', () => {})
    subscriber.on('close', drop)
    subscriber.on('message', (_, message) => onMessage(message))
    subscriber.on('ready', () => {
      ready = true
      void subscribe()
    })
    void subscribe()
  }

  /** Ends it, for good. */
  close(): void {
    this.#retryAt = Number.POSITIVE_INFINITY
    this.#discard()
  }

  #discard(): void {
    this.#stands = false
    this.#subscriber?.disconnect()
    this.#subscriber = null
  }
}
