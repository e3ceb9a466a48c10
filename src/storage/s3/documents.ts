import { randomUUID } from 'node:crypto'
import { UploadError } from '../../errors.ts'
import type { ObjectBucket, Condition } from './bucket.ts'
import type { Payload } from './calls.ts'
import { isObject, parseJson } from './json.ts'
import { isNoSuchKey, isRefused } from './s3-error.ts'
import { sha256 } from './sha256.ts'

/** A small JSON object of the bucket, as it stands there. */
export interface Document {
  readonly value: { readonly [key: string]: unknown }
  readonly etag: string
}

/** How a conditional write went: it is ours now, or what stands instead (null: nothing any more). */
export type Outcome =
  | { readonly written: true; readonly etag: string }
  | { readonly written: false; readonly standing: Document | null }

/** How often a write is begun again because what stood in its way had gone when it was looked at. */
const TURNS = 5

/** JSON objects of a bucket, written so that one of many writers wins and knows it. */
export class Documents {
  readonly #bucket: ObjectBucket
  readonly #conditional: boolean

  constructor(bucket: ObjectBucket, conditional: boolean) {
    this.#bucket = bucket
    this.#conditional = conditional
  }

  /** What stands under a key, or null. What is no JSON object is read as an empty one. */
  async read(key: string): Promise<Document | null> {
    const found = await this.#bucket.read(key)
    if (found === null) return null
    const value = parseJson(found.bytes)
    return { value: isObject(value) ? value : {}, etag: found.facts.etag }
  }

  /** Writes, whatever stands there. */
  async put(key: string, value: object): Promise<void> {
    await this.#bucket.put(key, payloadOf(value), { contentType: 'application/json' })
  }

  /** Writes where nothing stands. */
  async create(key: string, value: object): Promise<Outcome> {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const outcome = await this.#write(key, value, { absent: true })
      if (outcome.written || outcome.standing !== null) return outcome
    }
    throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error(`${key} is written and deleted by others.`) })
  }

  /** Writes in place of a document that still stands. */
  replace(key: string, value: object, document: { readonly etag: string }): Promise<Outcome> {
    return this.#write(key, value, { etag: document.etag })
  }

  /**
   * A conditional write that was answered 412 may be our own, done by an attempt whose answer was lost: a number drawn for
   * this very write tells.
   */
  async #write(key: string, value: object, condition: Condition): Promise<Outcome> {
    const nonce = randomUUID()
    if (!this.#conditional) {
      const standing = await this.read(key)
      if ('etag' in condition ? standing?.etag !== condition.etag : standing !== null) {
        return { written: false, standing }
      }
    }
    try {
      const headers = { contentType: 'application/json' }
      const payload = payloadOf({ ...value, nonce })
      const etag = await this.#bucket.put(key, payload, headers, this.#conditional ? condition : undefined)
      return { written: true, etag }
    } catch (error) {
      if (!isRefused(error) && !('etag' in condition && isNoSuchKey(error))) throw error
    }
    const standing = await this.read(key)
    if (standing?.value.nonce === nonce) return { written: true, etag: standing.etag }
    return { written: false, standing }
  }
}

function payloadOf(value: object): Payload {
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  return { size: body.length, sha256: sha256(body), body }
}
