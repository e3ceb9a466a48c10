import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { OffsetLog } from '../../../support/acknowledged-log.ts'
import { type Answer, ConnectionLost, type WireRequest } from '../../../support/http-wire.ts'
import { createdId, offsetIn, UnexpectedAnswer } from '../../../support/upload-drivers.ts'
import { CampaignClient, type ClientPlace, LATER } from './campaign-client.ts'

const KIB = 1024
const TUS = { 'Tus-Resumable': '1.0.0' } as const
const OCTETS = { 'Content-Type': 'application/offset+octet-stream' } as const
const ALGORITHMS = ['sha1', 'sha256', 'md5'] as const
/** Answers after which a HEAD tells more. */
const ASK = [409, 423, 460, 507]

/** An upload that exists already, and what it is to become. */
export interface Existing {
  readonly id: string
  readonly bytes: Buffer
}

/** How far a tus client goes. */
export type Intent = 'file' | 'cancel' | 'abandon' | 'partial'

export interface TusUploadOptions {
  /** The upload, where another client is at it too. @default a new one */
  readonly existing?: Existing
  /** Which of several clients this is. @default 0 */
  readonly stream?: number
  /** @default drawn */
  readonly intent?: Intent
  /** Bytes of the file. @default drawn */
  readonly size?: number
}

/** One upload over tus: HEAD, then a PATCH of some length, until all is there. */
export class TusUpload extends CampaignClient {
  readonly bytes: Buffer
  readonly intent: Intent
  readonly #log: OffsetLog
  /** Whether nobody else writes it. */
  readonly #isAlone: boolean
  /** Where it stops, if it does not mean to go to the end. */
  readonly #stopAt: number
  #isDeferred: boolean
  #id: string | null

  constructor(place: ClientPlace, { existing, stream, intent, size }: TusUploadOptions = {}) {
    super('tus', place, stream)
    this.bytes = existing?.bytes ?? this.drawBytes(size ?? this.drawSize())
    this.#id = existing?.id ?? null
    this.#isAlone = existing === undefined
    this.intent =
      intent ??
      (this.#isAlone && !place.traits.isPlainTus
        ? this.random.pick(['file', 'file', 'file', 'file', 'cancel', 'abandon'])
        : 'file')
    const stops = this.intent === 'cancel' || this.intent === 'abandon'
    this.#stopAt = stops ? this.random.int(0, this.bytes.length - 1) : this.bytes.length
    this.#isDeferred = this.#isAlone && this.intent !== 'partial' && this.random.chance(0.2)
    this.#log = new OffsetLog(this.name)
  }

  get isPartlyAcknowledged(): boolean {
    return this.#log.offset > 0 && this.#log.offset < this.bytes.length
  }

  get id(): string {
    if (this.#id === null) throw new Error(`${this.name} is not created yet.`)
    return this.#id
  }

  async run(): Promise<void> {
    // A creation whose answer was lost is begun anew.
    this.#id ??= await this.patiently(() => this.#create(), LATER.tus)
    this.begins(this.#id)
    await this.#append()
    if (this.intent === 'cancel') return this.cancel(this.id)
    if (this.intent === 'abandon') return this.abandon(this.id)
    if (this.intent === 'partial') return
    if (this.#isAlone) {
      const fileId = await this.checkFile(this.id, this.bytes)
      this.enter('ended')
      this.endings.push({ kind: 'file', id: this.id, fileId, bytes: this.bytes })
    } else await this.checkFile(this.id, this.bytes)
  }

  async #create(): Promise<string> {
    const length = this.#isDeferred ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(this.bytes.length) }
    const concat = this.intent === 'partial' ? { 'Upload-Concat': 'partial' } : {}
    const metadata = { 'Upload-Metadata': `filename ${Buffer.from(this.name).toString('base64')}` }
    const headers = { ...TUS, ...length, ...concat, ...metadata }
    if (this.#isDeferred || this.random.chance(0.7)) {
      return createdId(await this.send('POST', 'POST', '/files', { headers, body: Buffer.alloc(0) }))
    }
    const body = this.bytes.subarray(0, Math.min(this.#stopAt, this.random.int(1, 512 * KIB)))
    const more = { ...this.sending(body.length), headers: { ...headers, ...OCTETS }, body }
    if (body.length === this.bytes.length) this.place.untold.add(this.name)
    const answer = await this.send('POST', 'POST', '/files', more)
    const id = createdId(answer)
    this.#log.told(offsetIn(answer) ?? 0)
    return id
  }

  /** Goes on from what HEAD says, until all is there that is to be. */
  async #append(): Promise<void> {
    for (;;) {
      const head = await this.patiently(async () => expectStatus(await this.#head(), 200), LATER.head)
      this.#told(head)
      while (this.#log.offset < this.#stopAt) if (!(await this.#patch())) break
      if (this.#log.offset >= this.#stopAt && !this.#isDeferred) return
      if (this.#log.offset >= this.#stopAt && this.#stopAt < this.bytes.length) return
      await this.pause()
    }
  }

  #head(): Promise<Answer> {
    return this.send('HEAD', 'HEAD', `/files/${this.id}`, { headers: TUS })
  }

  #told(answer: Answer): void {
    const offset = offsetIn(answer)
    if (offset === null) throw new UnexpectedAnswer('a request without Upload-Offset', answer)
    this.#log.told(offset)
    if (answer.headers['upload-length'] === String(this.bytes.length)) this.#isDeferred = false
  }

  /** Sends some bytes. Returns whether the next can follow; where not, a HEAD tells what has become of these. */
  async #patch(): Promise<boolean> {
    const from = this.#log.offset
    const room = this.#stopAt - from
    const length = Math.min(room, this.random.chance(0.35) ? room : this.random.int(30 * KIB, 2048 * KIB))
    const body = this.bytes.subarray(from, from + length)
    const isEnd = from + length === this.bytes.length
    const declares = this.#isDeferred && (isEnd || this.random.chance(0.2))
    const checksum = this.#drawChecksum(body)
    const headers = {
      ...TUS,
      ...OCTETS,
      'Upload-Offset': String(from),
      ...(declares ? { 'Upload-Length': String(this.bytes.length) } : {}),
      ...(checksum === null ? {} : { 'Upload-Checksum': checksum.value }),
    }
    const onAllSent = (): void => {
      if (isEnd && this.intent === 'file' && checksum?.isWrong !== true) this.enter('completing')
    }
    this.#log.sending(from)
    const request: WireRequest = { ...this.sending(length), headers, body, onAllSent }
    try {
      const answer = await this.send('PATCH', 'PATCH', `/files/${this.id}`, request)
      if (answer.status === 460) expect(checksum?.isWrong, `${this.name}: a right checksum is refused`).toBe(true)
      expectStatus(answer, 204)
      if (declares) this.#isDeferred = false
      const offset = offsetIn(answer) ?? -1
      if (this.#isAlone) expect(offset, `${this.name}: the offset after a PATCH`).toBe(from + length)
      else expect(offset, `${this.name}: the offset after a PATCH`).toBeGreaterThanOrEqual(from + length)
      expect(checksum?.isWrong ?? false, `${this.name}: a wrong checksum is taken`).toBe(false)
      this.#log.told(offset)
      return true
    } catch (error) {
      if (!this.mayPass(error, ASK)) throw error
      if (this.phase === 'completing' && !(error instanceof ConnectionLost)) this.enter('uploading')
      return false
    }
  }

  #drawChecksum(body: Buffer): { readonly value: string; readonly isWrong: boolean } | null {
    if (this.place.traits.isPlainTus || body.length > 2048 * KIB || this.random.chance(0.75)) return null
    const isWrong = this.random.chance(0.25)
    const algorithm = this.random.pick(ALGORITHMS)
    const digest = createHash(algorithm).update(body)
    if (isWrong) digest.update('more')
    return { value: `${algorithm} ${digest.digest('base64')}`, isWrong }
  }
}

function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status) throw new UnexpectedAnswer('the request', answer)
  return answer
}
