import { createHmac } from 'node:crypto'

const PREFIX = 'whsec_'
/** Bytes that a secret may have ("between 24 bytes (192 bits) and 64 bytes (512 bits)"). */
const LEAST = 24
const MOST = 64

/** The bytes of a secret as Standard Webhooks writes it: `whsec_` and base64; null where it is none. */
export function readWebhookSecret(text: string): Buffer | null {
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text
  const key = Buffer.from(encoded, 'base64')
  const isBase64 = key.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  return isBase64 && key.length >= LEAST && key.length <= MOST ? key : null
}

/** The value of `webhook-signature`: one for each secret, so that a receiver may change its own without a gap. */
export function webhookSignature(
  message: { readonly id: string; readonly timestampS: number; readonly body: string },
  keys: readonly Buffer[],
): string {
  const { id, timestampS, body } = message
  const content = `${id}.${timestampS}.${body}`
  return keys.map((key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`).join(' ')
}
