import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { bytesOf, Random, sha256Of } from '../../../support/byte-source.ts'
import { type Answer, ConnectionLost, type Wire, type WireRequest } from '../../../support/http-wire.ts'
import {
  type CompleteAnswer,
  completed,
  JsonDriver,
  type ProgressAnswer,
  progressIn,
  UnexpectedAnswer,
} from '../../../support/upload-drivers.ts'
import type { Traits } from '../combination.ts'
import type { Phase, Phases } from '../phases.ts'

const KIB = 1024
/** Answers after which a client tries again. */
/** A tus client starts over from byte 0 where HEAD is answered with anything else that is no success. */
export const LATER = { head: [423], tus: [423, 507], json: [408, 423, 503, 507] } as const
const PAUSE_MS = 60
/** So long nothing may happen before a client has had enough of a connection, ms. */
const PATIENCE_MS = 4000
/** So long a client may be told to come again before something is wrong, ms. */
const STUCK_MS = 60_000

/** What a client works with. */
export interface ClientPlace {
  readonly wire: Wire
  readonly traits: Traits
  readonly phases: Phases
  readonly seed: number
  readonly index: number
  /** Names of files that may stand though nobody was told of them: the answer to the creation that had all bytes was lost. */
  readonly untold: Set<string>
  /** Whether no node is killed any more. */
  readonly isCalm: () => boolean
  /** Whether something is found already: then nobody goes on. */
  readonly isOver: () => boolean
}

/** A request under way. */
export type Call = 'POST' | 'PATCH' | 'HEAD' | 'initiate' | 'chunk' | 'complete' | 'cancel' | 'final'

/** How an upload has ended. */
export type Ending =
  | { readonly kind: 'file'; readonly id: string; readonly fileId: string; readonly bytes: Buffer }
  | { readonly kind: 'cancelled' | 'abandoned'; readonly id: string }

/** Somebody who uploads something, tries again as real clients do, and keeps a record of what was promised. */
export abstract class CampaignClient {
  readonly name: string
  readonly random: Random
  /** What has become of all it uploaded. */
  readonly endings: Ending[] = []
  /** Requests that were told to come again, or lost their connection. */
  retries = 0
  protected readonly place: ClientPlace
  protected readonly wire: Wire
  readonly #calls = new Map<Call, number>()
  #phase: Phase = 'creating'
  #uploadId: string | null = null
  readonly #ids = new Set<string>()

  constructor(kind: string, place: ClientPlace, stream = 0) {
    this.name = `${kind}-${place.index}${stream === 0 ? '' : `-${stream}`}`
    this.place = place
    this.wire = place.wire
    this.random = new Random(place.seed, 10_000 + place.index + 1_000_000 * stream)
  }

  /** Uploads, and ends in one way or another. */
  abstract run(): Promise<void>
  /** Whether it was told of some bytes and not yet of all. */
  abstract readonly isPartlyAcknowledged: boolean

  get phase(): Phase {
    return this.#phase
  }

  get callsUnderWay(): readonly Call[] {
    return [...this.#calls].flatMap(([call, count]) => (count > 0 ? [call] : []))
  }

  /** The upload, once there is one. */
  get uploadId(): string | null {
    return this.#uploadId
  }

  /** Ids of all that it has to do with, for people. */
  get names(): readonly string[] {
    return [...this.#ids]
  }

  /** Whether it has sent two contents for one chunk to S3: the one exception, for which a chunk may be asked for again. */
  get mayGoBack(): boolean {
    return false
  }

  /** Draws the size of a file. */
  protected drawSize(): number {
    const [least, most] = this.place.traits.sizes
    return this.random.int(least, most)
  }

  protected drawBytes(size: number): Buffer {
    return bytesOf(this.place.seed + this.random.int(0, 2 ** 30), size)
  }

  /** The upload has this name too, on disk or in the bucket. */
  protected isKnownAs(id: string): void {
    this.#ids.add(id)
    this.place.phases.enter(id, this.#phase)
  }

  /** The upload is created. */
  protected begins(id: string): void {
    this.#uploadId = id
    this.isKnownAs(id)
    this.enter('uploading')
  }

  protected enter(phase: Phase): void {
    this.#phase = phase
    for (const id of this.#ids) this.place.phases.enter(id, phase)
  }

  /** Sends a request, and counts it as under way meanwhile. */
  protected async send(call: Call, method: string, path: string, options: WireRequest = {}): Promise<Answer> {
    this.#calls.set(call, (this.#calls.get(call) ?? 0) + 1)
    try {
      return await this.wire.send(method, path, { patienceMs: PATIENCE_MS, ...options })
    } finally {
      this.#calls.set(call, (this.#calls.get(call) ?? 0) - 1)
    }
  }

  /** The JSON face, whose requests count as this call. */
  protected json(call: Call): JsonDriver {
    const wire = {
      send: (method: string, path: string, options?: WireRequest) => this.send(call, method, path, options),
    }
    return new JsonDriver(wire)
  }

  /** Tries again while the connection is lost, or the answer says later. */
  protected async patiently<T>(ask: () => Promise<T>, later: readonly number[]): Promise<T> {
    let begun = performance.now()
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!this.mayPass(error, later) || this.place.isOver()) throw error
        // A node that is killed while it takes a body is no node that refuses it.
        if (error instanceof ConnectionLost && !this.place.isCalm()) begun = performance.now()
        if (performance.now() - begun > STUCK_MS)
          throw new Error(`${this.name} is stuck: ${String(error)}`, { cause: error })
        await this.pause()
      }
    }
  }

  protected mayPass(error: unknown, later: readonly number[]): boolean {
    if (error instanceof ConnectionLost) return true
    if (!(error instanceof UnexpectedAnswer)) return false
    // Others answer any error of storage with 500: what counts is what they have stored.
    return later.includes(error.answer.status) || (this.place.traits.isPlainTus && error.answer.status >= 500)
  }

  protected async pause(): Promise<void> {
    this.retries += 1
    await delay(PAUSE_MS + this.random.int(0, PAUSE_MS))
  }

  /** How a body goes out: mostly in pieces, sometimes with pauses, seldom a byte at a time or not to its end. */
  protected sending(length: number): WireRequest {
    const way = this.random.next()
    const cut = this.random.chance(0.1) ? { cutAfterBytes: this.random.int(1, Math.max(1, length)) } : {}
    if (way < 0.06) {
      let bytes = 0
      return { ...cut, pieceBytes: () => ((bytes += 1) < 40 ? 1 : 128 * KIB), pauseMs: () => 0 }
    }
    if (way < 0.12) return { ...cut, pieceBytes: () => 96 * KIB, pauseMs: () => (this.random.chance(0.1) ? 250 : 0) }
    return {
      ...cut,
      pieceBytes: () => this.random.int(16 * KIB, 384 * KIB),
      pauseMs: () => this.random.pick([0, 0, 1, 3, 8]),
    }
  }

  /** Asks for the progress. */
  protected progress(id: string): Promise<ProgressAnswer> {
    return this.patiently(async () => progressIn(await this.json('HEAD').progress(id)), LATER.json)
  }

  /** It was told that the file is done: it must be there, whole, now. */
  protected async checkFile(id: string, bytes: Buffer): Promise<string> {
    if (this.place.traits.isPlainTus) {
      await this.expectContent(id, bytes)
      return id
    }
    const { fileId, status } = await this.progress(id)
    expect(status, `${this.name}: its offset says that it is done`).toBe('uploaded')
    this.isKnownAs(fileId)
    await this.expectContent(fileId, bytes)
    return fileId
  }

  async expectContent(fileId: string, bytes: Buffer): Promise<void> {
    const content = await this.patiently(async () => {
      const path = this.place.traits.isPlainTus ? `/files/${fileId}` : `/api/v1/files/${fileId}/content`
      const answer = await this.wire.send('GET', path, { patienceMs: PATIENCE_MS })
      // An error of storage in the midst of the file can only cut the connection.
      if (answer.status !== 200) throw new UnexpectedAnswer('the file', answer)
      return answer.body
    }, LATER.json)
    expect(content.length, `${this.name}: length of the finished file`).toBe(bytes.length)
    expect(content.equals(bytes), `${this.name}: bytes of the finished file`).toBe(true)
  }

  /** Completes over the JSON face, until the answer is there with its checksum. */
  protected async complete(id: string, bytes: Buffer): Promise<void> {
    this.enter('completing')
    const begun = performance.now()
    let answer: CompleteAnswer
    do {
      answer = await this.patiently(async () => completed(await this.json('complete').complete(id)), LATER.json)
      const isLate = this.place.isCalm() && performance.now() - begun > 2 * STUCK_MS
      if (answer.checksum === null && (isLate || this.place.isOver()))
        throw new Error(`${this.name} is done, and has no checksum yet.`)
    } while (answer.checksum === null)
    expect(answer, `${this.name}: the answer to complete`).toMatchObject({
      size: bytes.length,
      status: 'uploaded',
      checksum: sha256Of(bytes),
    })
    const fileId = await this.checkFile(id, bytes)
    this.enter('ended')
    this.endings.push({ kind: 'file', id, fileId, bytes })
  }

  /** Cancels: nobody may find it again. */
  protected async cancel(id: string): Promise<void> {
    this.enter('ended')
    const isTus = this.random.chance(0.5)
    if (isTus) {
      // Again, where the first answer was lost, it is gone already.
      const ask = async () => {
        const headers = { 'Tus-Resumable': '1.0.0' }
        const answer = await this.send('cancel', 'DELETE', `/files/${id}`, { headers })
        if (![204, 404, 410].includes(answer.status)) throw new UnexpectedAnswer('DELETE', answer)
      }
      await this.patiently(ask, LATER.tus)
    } else {
      const ask = async () => {
        const answer = await this.send('cancel', 'DELETE', `/api/v1/uploads/${id}`)
        if (answer.status !== 200) throw new UnexpectedAnswer('cancel', answer)
      }
      await this.patiently(ask, LATER.json)
    }
    await this.#expectGone(id)
    this.endings.push({ kind: 'cancelled', id })
  }

  /** What is cancelled is so on any node. */
  async #expectGone(id: string): Promise<void> {
    for (let time = 0; time < 3; time += 1) {
      await this.patiently(async () => {
        const answer = await this.json('HEAD').progress(id)
        if (answer.status !== 410) throw new UnexpectedAnswer('progress of what was cancelled', answer)
      }, LATER.json)
    }
  }

  /** Never comes back. */
  protected abandon(id: string): void {
    this.enter('ended')
    this.endings.push({ kind: 'abandoned', id })
  }
}
