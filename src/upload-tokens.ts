import { createHmac, timingSafeEqual } from 'node:crypto'

/** What every token begins with: it is known by that for one of ours, wherever it turns up, and for which kind. */
const PREFIX = 'hfu1_'
/** SHA-256 in base64url after it. */
const FORM = new RegExp(`^${PREFIX}[\\w-]{43}$`)

/** Makes the tokens of uploads, once the secret is there. */
export type Issue = (id: string) => string

/**
 * Tokens of uploads: each is good for one upload, and is that upload's id under the secret of the storage. None is kept
 * anywhere: who has the secret makes the same again, and nobody else can.
 */
export class UploadTokens {
  readonly #read: () => Promise<Buffer>
  #secret: Promise<Buffer> | null = null

  /** `read` gives the secret; it is asked once, unless that fails. */
  constructor(read: () => Promise<Buffer>) {
    this.#read = read
  }

  /** Gets ready to make tokens. */
  async issuer(): Promise<Issue> {
    const secret = await this.#ready()
    return (id) => tokenOf(secret, id)
  }

  /** Whether a text is the token of this upload. Which part of it is wrong takes no time to tell. */
  async isOf(id: string, text: string): Promise<boolean> {
    if (!FORM.test(text)) return false
    return timingSafeEqual(Buffer.from(tokenOf(await this.#ready(), id)), Buffer.from(text))
  }

  #ready(): Promise<Buffer> {
    this.#secret ??= this.#read().catch((error: unknown) => {
      this.#secret = null
      throw error
    })
    return this.#secret
  }
}

function tokenOf(secret: Buffer, id: string): string {
  return PREFIX + createHmac('sha256', secret).update(`upload-token:${id}`).digest('base64url')
}
