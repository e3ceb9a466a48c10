import { answered } from '../../redis/script.ts'
import { mayExpire, type Manifest, type Upload, type UploadStatus } from '../../upload.ts'
import { expiryIndexKey, recordKeys } from './record-keys.ts'
import { RECORD_VERSION } from './record-lua.ts'

/** What an {@link ExpiryIndex} needs of ioredis' `Redis` or `Cluster`. */
export interface IndexRedis {
  zadd(key: string, score: number, member: string): Promise<unknown>
  zrem(key: string, member: string): Promise<unknown>
  zrangebyscore(
    key: string,
    min: string,
    max: number,
    limit: 'LIMIT',
    offset: number,
    count: number,
  ): Promise<readonly string[]>
  hmget(key: string, ...fields: string[]): Promise<readonly (string | null)[]>
}

/** How many candidates are looked at together. */
const PAGE = 100

/**
 * When uploads may expire, at the earliest. In a Cluster it lies beside no upload, so that no commit could move an upload
 * in it in one step; none does. An upload is entered where it is adopted, and moves on when its time seems to have come:
 * what the index says too early is put right by its reader, and what it does not know the hourly walk finds.
 */
export class ExpiryIndex {
  readonly #redis: IndexRedis
  readonly #prefix: string
  readonly #key: string
  readonly #timeoutMs: number

  constructor(redis: IndexRedis, prefix: string, timeoutMs: number) {
    this.#redis = redis
    this.#prefix = prefix
    this.#key = expiryIndexKey(prefix)
    this.#timeoutMs = timeoutMs
  }

  /** Enters an upload that may expire. Never throws: it is a hint. */
  async enter(upload: Upload): Promise<void> {
    if (!mayExpire(upload)) return
    await this.#answered(this.#redis.zadd(this.#key, upload.expiresAt, upload.manifest.id)).catch(() => {})
  }

  /** Drops an upload that is not to be known any more. */
  async leave(id: string): Promise<void> {
    await this.#answered(this.#redis.zrem(this.#key, id))
  }

  /** Ids of uploads that may expire and whose expiry is at or before `at`. */
  async due(at: number): Promise<string[]> {
    const due: string[] = []
    for (;;) {
      // Those that are due stay where they are; the others have moved on.
      const page = this.#redis.zrangebyscore(this.#key, '-inf', at, 'LIMIT', due.length, PAGE)
      const candidates = await this.#answered(page)
      const isDue = await Promise.all(candidates.map((id) => this.#check(id, at)))
      due.push(...candidates.filter((_, i) => isDue[i]))
      if (candidates.length < PAGE) return due
    }
  }

  async #check(id: string, at: number): Promise<boolean> {
    const [record] = recordKeys(this.#prefix, id)
    const fields = await this.#answered(this.#redis.hmget(record, 'status', 'expiresAt', 'manifest', 'version'))
    const [status = null, expiresAt, manifest = null, version = null] = fields
    // A newer version's is left to that.
    if (version !== null && version !== RECORD_VERSION) return false
    if (status === null || manifest === null || !mayExpire(parse(status, manifest))) {
      await this.#answered(this.#redis.zrem(this.#key, id))
      return false
    }
    if (Number(expiresAt) <= at) return true
    await this.#answered(this.#redis.zadd(this.#key, Number(expiresAt), id))
    return false
  }

  #answered<T>(command: Promise<T>): Promise<T> {
    return answered(command, this.#timeoutMs)
  }
}

function parse(status: string, manifest: string) {
  return { status: status as UploadStatus, manifest: JSON.parse(manifest) as Manifest }
}
