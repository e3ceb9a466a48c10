import type { Random } from './byte-source.ts'
import { Wire } from './http-wire.ts'
import type { Sending } from './upload-drivers.ts'
import type { ServerProcess } from './server-process.ts'

/** When a server is killed. */
export type KillPlan =
  /** When so many bytes of bodies have been handed to the system. */
  | { readonly at: 'bytes'; readonly bytes: number }
  /** So long after the first byte of a body, ms. */
  | { readonly at: 'ms'; readonly ms: number }
  /** In the moment the so manyeth acknowledgement arrives. */
  | { readonly at: 'answer'; readonly count: number }
  /** So long after an upload has sent what completes it, ms. */
  | { readonly at: 'end'; readonly ms: number }
  | { readonly at: 'never' }

/** Draws a moment. */
export function drawKillPlan(random: Random): KillPlan {
  const at = random.pick(['bytes', 'bytes', 'ms', 'ms', 'answer', 'answer', 'end'] as const)
  switch (at) {
    case 'bytes':
      return { at: 'bytes', bytes: random.int(1, 6 * 1024 * 1024) }
    case 'ms':
      return { at: 'ms', ms: random.int(1, 150) }
    case 'answer':
      return { at: 'answer', count: random.int(1, 24) }
    case 'end':
      return { at: 'end', ms: random.chance(0.4) ? 0 : random.int(0, 12) }
  }
}

/** One life of a server, from its start to its kill, and the connections to it. */
export class ServerLife {
  readonly wire: Wire
  readonly plan: KillPlan
  readonly #server: ServerProcess
  readonly #onKill: () => void
  #bytes = 0
  #answers = 0
  #timer: NodeJS.Timeout | null = null
  #killed: Promise<unknown> | null = null

  /** `onKill` is called at the moment of the kill, before anything else can happen. */
  constructor(server: ServerProcess, plan: KillPlan, onKill: () => void) {
    this.#server = server
    this.wire = new Wire(server.url)
    this.plan = plan
    this.#onKill = onKill
  }

  get over(): boolean {
    return this.#killed !== null
  }

  /** How a body goes out: in pieces, with pauses, so that the kill comes in the midst of it. */
  sending(random: Random, more: Sending = {}): Sending {
    return {
      pieceBytes: () => random.int(8 * 1024, 96 * 1024),
      pauseMs: () => random.pick([0, 0, 1, 2]),
      ...more,
      onSent: (bytes) => {
        more.onSent?.(bytes)
        this.#sent(bytes)
      },
      onAnswer: (status) => {
        more.onAnswer?.(status)
        if (status < 300) this.#acknowledged()
      },
    }
  }

  /** An upload has sent what completes it. */
  ending(): void {
    if (this.plan.at === 'end') this.#killIn(this.plan.ms)
  }

  /** Ends it because something is wrong. */
  stop(): void {
    this.#killed ??= this.#server.kill('SIGKILL')
  }

  /** Resolves when the process is gone; at once where it was not killed. */
  async ended(): Promise<void> {
    await this.#killed
    this.wire.close()
  }

  #sent(bytes: number): void {
    this.#bytes += bytes
    if (this.plan.at === 'bytes' && this.#bytes >= this.plan.bytes) this.#kill()
    if (this.plan.at === 'ms') this.#killIn(this.plan.ms)
  }

  #acknowledged(): void {
    this.#answers += 1
    if (this.plan.at === 'answer' && this.#answers >= this.plan.count) this.#kill()
  }

  #killIn(ms: number): void {
    if (ms === 0) this.#kill()
    else this.#timer ??= setTimeout(() => this.#kill(), ms)
  }

  #kill(): void {
    if (this.#killed !== null) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#onKill()
    this.#killed = this.#server.kill('SIGKILL')
  }
}
