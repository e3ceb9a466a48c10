import { UploadError } from '../errors.ts'
import type { LockRequest, UploadLock } from '../locks/locker.ts'
import { MemoryLocker, type MemoryLockerOptions } from '../locks/memory-locker.ts'
import { applyChange, type Change, mayExpire, type Upload, type UploadStatus } from '../upload.ts'
import { MemoryAccounts } from './memory-accounts.ts'
import type { CommitOptions, Locked, State } from './state.ts'

/** State of one process: a map and a {@link MemoryLocker}. Its locks cannot be lost; all it knows goes with the process. */
export class MemoryState implements State {
  readonly locks: MemoryLocker
  readonly accounts = new MemoryAccounts()
  readonly rates = null
  readonly skewMs = 0
  readonly #uploads = new Map<string, Upload>()
  /** Merges under way, by upload: whether it was forgotten meanwhile. */
  readonly #merges = new Map<string, Set<{ isLate: boolean }>>()

  constructor(options: MemoryLockerOptions = {}) {
    this.locks = new MemoryLocker(options)
  }

  async open(): Promise<void> {}

  async find(id: string): Promise<Upload | null> {
    return this.#uploads.get(id) ?? null
  }

  async lock(id: string, request: LockRequest): Promise<Locked> {
    const lock = await this.locks.acquire(id, request)
    return { lock, upload: this.#uploads.get(id) ?? null }
  }

  async adopt(upload: Upload): Promise<Upload> {
    const known = this.#uploads.get(upload.manifest.id)
    // A ledger of our own: storage goes on growing the one it handed over.
    const adopted = known === undefined ? { ...upload, ledger: upload.ledger.copy() } : union(known, upload)
    this.#uploads.set(upload.manifest.id, adopted)
    return adopted
  }

  async merge(id: string, load: () => Promise<Upload | null>): Promise<Upload | null> {
    const merge = { isLate: false }
    const merges = this.#merges.get(id) ?? new Set()
    this.#merges.set(id, merges.add(merge))
    try {
      for (;;) {
        merge.isLate = false
        const upload = await load()
        if (upload === null) return null
        if (!merge.isLate) return await this.adopt(upload)
      }
    } finally {
      merges.delete(merge)
      if (merges.size === 0) this.#merges.delete(id)
    }
  }

  async commit(id: string, changes: readonly Change[], options: CommitOptions): Promise<Upload | null> {
    this.#checkLock(id, changes, options.lock)
    const known = this.#uploads.get(id)
    if (known === undefined) return null
    if (mayFailHalfway(changes)) applyAll({ ...known, ledger: known.ledger.copy() }, changes)
    const changed = applyAll(known, changes)
    const expiresAt = Math.max(known.expiresAt, options.expiresAt)
    const upload = expiresAt === changed.expiresAt ? changed : { ...changed, expiresAt }
    this.#uploads.set(id, upload)
    if (options.release === true) await options.lock?.release()
    return upload
  }

  async due(at: number): Promise<string[]> {
    const ids: string[] = []
    for (const [id, upload] of this.#uploads) if (upload.expiresAt <= at && mayExpire(upload)) ids.push(id)
    return ids
  }

  async forget(id: string): Promise<void> {
    this.#uploads.delete(id)
    for (const merge of this.#merges.get(id) ?? []) merge.isLate = true
  }

  async check(): Promise<void> {}

  async close(): Promise<void> {
    this.#uploads.clear()
    this.accounts.clear()
  }

  #checkLock(id: string, changes: readonly Change[], lock: UploadLock | null): void {
    if (lock !== null) {
      if (!this.locks.holds(id, lock)) throw new UploadError('UPLOAD_LOCKED')
      return
    }
    const needy = changes.find((change) => change.type !== 'digest' && change.type !== 'touch')
    if (needy !== undefined) throw new Error(`A change of type "${needy.type}" is committed under a lock only.`)
  }
}

function applyAll(upload: Upload, changes: readonly Change[]): Upload {
  return changes.reduce((before, change) => applyChange(before, change), upload)
}

/**
 * Whether one of these changes may be refused after an earlier one has grown the ledger, so that all of them are to be
 * tried on a copy first. A copy takes time in proportion to the chunks; the everyday commits do not need it.
 *
 * One change alone is refused before it touches anything. On an open upload tail, digest and touch never fail and leave it
 * open, and the first `completing` or end never fails; on any other no chunk or tail grows the ledger. That leaves a
 * length, which may do both, a chunk that is not the first change, and whatever follows completion.
 */
function mayFailHalfway(changes: readonly Change[]): boolean {
  const last = changes.length - 1
  if (last <= 0) return false
  return changes.some(
    ({ type }, i) =>
      type === 'length' || (i > 0 && type === 'chunk') || (i < last && (type === 'completing' || type === 'ended')),
  )
}

/**
 * What wins when two records differ: the later status. An object that stands beats an upload given up by somebody who
 * did not see it, and only a cancel comes after that. The order is total, so it does not matter who adopts from whom.
 */
const RANK = {
  initiated: 0,
  uploading: 1,
  completing: 2,
  expired: 3,
  failed: 4,
  uploaded: 5,
  cancelled: 6,
} as const satisfies Record<UploadStatus, number>

function union(known: Upload, other: Upload): Upload {
  const [later, earlier] = RANK[other.status] > RANK[known.status] ? [other, known] : [known, other]
  // In place, as a commit does it: whoever holds this ledger sees it grow.
  for (const entry of other.ledger.chunks.values()) known.ledger.add(entry)
  if (other.ledger.tail !== null) known.ledger.setTail(other.ledger.tail)
  return {
    ...known,
    size: known.size ?? other.size,
    status: later.status,
    endedAt: later.endedAt ?? earlier.endedAt,
    digest: known.digest ?? other.digest,
    expiresAt: Math.max(known.expiresAt, other.expiresAt),
  }
}
