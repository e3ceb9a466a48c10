import { UploadError } from '../errors.ts'
import { readWebhookSecret, webhookSignature } from './signature.ts'
import type { WebhookEvent } from './webhook-event.ts'

/** Where events are sent, signed as Standard Webhooks are (https://www.standardwebhooks.com). */
export interface WebhookOptions {
  /** An http or https address, without user and password in it. */
  readonly url: string
  /** `whsec_` and 24 to 64 bytes in base64. Of several each signs: while a receiver changes from one to another. */
  readonly secret: string | readonly string[]
  /** How long the receiver may take for an answer, ms. @default 15 s */
  readonly timeoutMs?: number
}

/** The receiver wants nothing more: it is told nothing, and what it is owed stays so. */
export class WebhookGoneError extends Error {}

/** How long a receiver that is being told may still take when the server shuts down, ms. */
const GRACE_MS = 2000

/** Sends events to one receiver. */
export class Webhook {
  readonly #url: string
  readonly #keys: readonly Buffer[]
  readonly #timeoutMs: number
  readonly #onError: (error: unknown, where: string) => void
  #gone = false

  /** @throws TypeError naming the option that is wrong */
  constructor(options: WebhookOptions, onError: (error: unknown, where: string) => void) {
    this.#url = checkUrl(options.url)
    this.#keys = checkSecrets(options.secret)
    this.#timeoutMs = checkTimeout(options.timeoutMs ?? 15_000)
    this.#onError = onError
  }

  /**
   * Sends an event once. Any 2xx is success; redirects are not followed, as they would take the event elsewhere.
   * `draining` aborts when the server shuts down.
   * @throws Error where it is to be sent again; {@link WebhookGoneError} where it is not, as the receiver answers 410
   */
  async send(event: WebhookEvent, draining: AbortSignal): Promise<void> {
    if (this.#gone) throw new WebhookGoneError()
    const status = await this.#post(event, draining)
    if (status >= 200 && status < 300) return
    if (status !== 410) throw new Error(`the webhook answered ${status} to ${event.type} ${event.id}`)
    if (!this.#gone) {
      this.#gone = true
      this.#onError(
        new Error('the webhook answered 410 Gone: nothing more is sent to it until this process starts again'),
        'webhook',
      )
    }
    throw new WebhookGoneError()
  }

  async #post({ id, type, timestamp, data }: WebhookEvent, draining: AbortSignal): Promise<number> {
    const body = JSON.stringify({ type, timestamp, data })
    const timestampS = Math.floor(Date.now() / 1000)
    const cut = new AbortController()
    let grace: NodeJS.Timeout | undefined
    const hurry = (): void => {
      grace = setTimeout(() => cut.abort(new UploadError('DRAINING')), GRACE_MS)
    }
    if (draining.aborted) hurry()
    draining.addEventListener('abort', hurry)
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'Content-Type': 'application/json',
          'User-Agent': 'holdfast',
          'webhook-id': id,
          'webhook-timestamp': String(timestampS),
          'webhook-signature': webhookSignature({ id, timestampS, body }, this.#keys),
        },
        body,
        signal: AbortSignal.any([AbortSignal.timeout(this.#timeoutMs), cut.signal]),
      })
      // Nobody reads it: the connection may be used again, or is cut where there is much.
      await response.body?.cancel()
      return response.status
    } finally {
      draining.removeEventListener('abort', hurry)
      clearTimeout(grace)
    }
  }
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url.href
  // Not shown: many a webhook's address is all that keeps others from using it.
  throw new TypeError('holdfast: the option `webhook.url` must be an http or https address without a user')
}

function checkSecrets(secret: string | readonly string[]): Buffer[] {
  const texts = typeof secret === 'string' ? [secret] : secret
  const keys = Array.isArray(texts) ? texts.map((text) => readWebhookSecret(String(text))) : []
  const known = keys.filter((key) => key !== null)
  if (known.length > 0 && known.length === keys.length) return known
  throw new TypeError(
    'holdfast: the option `webhook.secret` must be `whsec_` and 24 to 64 bytes in base64, or several of those',
  )
}

function checkTimeout(ms: number): number {
  if (Number.isSafeInteger(ms) && ms > 0 && ms <= 0x7fff_ffff) return ms
  throw new TypeError(`holdfast: the option \`webhook.timeoutMs\` must be a positive whole number, not ${String(ms)}`)
}
