import { describe, expect, it } from 'vitest'
import type { RecordView } from '../../../../src/state/redis/record-text.ts'
import { UploadCache } from '../../../../src/state/redis/upload-cache.ts'
import { aManifest, anEntry } from '../../../support/upload-samples.ts'

const manifest = aManifest()
const { id } = manifest

/** What a script answers a reader that has the first `from` entries. */
function aView(from: number, entries: readonly number[], parts: Partial<RecordView> = {}): RecordView {
  return {
    epoch: 'one',
    status: 'uploading',
    size: 10,
    endedAt: null,
    digest: null,
    expiresAt: 5_000,
    tail: null,
    manifest: from === 0 ? manifest : null,
    from,
    entries: entries.map((number) => anEntry(number)),
    ...parts,
  }
}

describe('UploadCache', () => {
  it('grows the ledger it has', () => {
    const cache = new UploadCache({ maxUploads: 9, maxChunks: 9 })
    const first = cache.take(id, aView(0, [0]), undefined)
    const next = cache.take(id, aView(1, [1]), cache.get(id))
    expect(next.ledger).toBe(first.ledger)
    expect([...first.ledger.chunks.keys()]).toEqual([0, 1])
  })

  it('takes answers that came with the same entries, in whatever order', () => {
    const cache = new UploadCache({ maxUploads: 9, maxChunks: 9 })
    cache.take(id, aView(0, [0]), undefined)
    const asked = cache.get(id)
    cache.take(id, aView(1, [1, 2]), asked)
    const late = cache.take(id, aView(1, [1]), asked)
    expect([...late.ledger.chunks.keys()]).toEqual([0, 1, 2])
    expect(cache.size).toEqual({ uploads: 1, chunks: 3 })
  })

  it('begins a new ledger for another epoch', () => {
    const cache = new UploadCache({ maxUploads: 9, maxChunks: 9 })
    const first = cache.take(id, aView(0, [0, 1]), undefined)
    const second = cache.take(id, aView(0, [1], { epoch: 'two' }), cache.get(id))
    expect([...second.ledger.chunks.keys()]).toEqual([1])
    expect([...first.ledger.chunks.keys()]).toEqual([0, 1])
  })

  it('goes on from what it had when it asked, where that has left it since', () => {
    const cache = new UploadCache({ maxUploads: 1, maxChunks: 9 })
    cache.take(id, aView(0, [0]), undefined)
    const asked = cache.get(id)
    const other = aManifest()
    cache.take(other.id, aView(0, [], { manifest: other }), undefined)
    expect(cache.get(id)).toBeUndefined()
    expect([...cache.take(id, aView(1, [1]), asked).ledger.chunks.keys()]).toEqual([0, 1])
    expect(cache.get(other.id)).toBeUndefined()
  })

  it('keeps those that were asked for last, within both bounds', () => {
    const cache = new UploadCache({ maxUploads: 3, maxChunks: 5 })
    const manifests = Array.from({ length: 4 }, () => aManifest())
    const [a, b, c, d] = manifests.map(({ id }) => id) as [string, string, string, string]
    const take = (n: number, entries: number[]) =>
      cache.take(manifests[n]!.id, aView(0, entries, { manifest: manifests[n]! }), undefined)
    for (const n of [0, 1, 2]) take(n, [0])
    cache.get(a)
    take(3, [0])
    expect([a, b, c, d].filter((id) => cache.get(id) !== undefined)).toEqual([a, c, d])
    take(3, [0, 1, 2])
    expect(cache.size).toEqual({ uploads: 3, chunks: 5 })
    take(3, [0, 1, 2, 3])
    expect(cache.size).toEqual({ uploads: 2, chunks: 5 })
    cache.drop(d)
    expect(cache.size).toEqual({ uploads: 1, chunks: 1 })
  })
})
