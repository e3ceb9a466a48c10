import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { isUploadError } from '../../../../src/errors.ts'
import { Ledger } from '../../../../src/ledger.ts'
import { MemoryState } from '../../../../src/state/memory.ts'
import { applyChange, type Change, type EndStatus, type Upload, type UploadStatus } from '../../../../src/upload.ts'
import { describeWithRedis } from '../../../support/services/redis.ts'
import { aManifest, anEntry, anUpload, aTail, plain, sha256 } from '../../../support/upload-samples.ts'
import { twoNodes } from './redis-nodes.ts'

/** More chunks than one byte of a bitmap has bits. */
const CHUNKS = 20

/** Most uploads are open. */
const STATUSES: readonly UploadStatus[] = [
  ...Array.from({ length: 6 }, () => 'initiated' as const),
  'completing',
  'uploaded',
  'uploaded',
  'cancelled',
]

const number = fc.oneof(fc.nat(3), fc.nat(CHUNKS))
const at = fc.integer({ min: 1_000, max: 9_000 })
const chunk = fc
  .record({
    number,
    size: fc.constantFrom(4, 4, 4, 4, 3, 2),
    at,
    etag: fc.option(fc.constantFrom('"e"', 'two words', '')),
  })
  .map(({ etag, ...facts }) => anEntry(facts.number, etag === null ? facts : { ...facts, etag }))
const ends = fc.constantFrom<EndStatus>('uploaded', 'cancelled', 'expired', 'failed')

const length = fc.record({ type: fc.constant('length' as const), size: fc.nat(4 * CHUNKS), at })
const end = fc.record({ type: fc.constant('ended' as const), status: ends, at })

/** What happens while bytes come, good or bad. */
const growth: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('chunk' as const), entry: chunk }) },
  {
    weight: 3,
    arbitrary: fc.tuple(chunk, fc.option(fc.integer({ min: 1, max: 4 }))).map(
      ([entry, size]): Change => ({
        type: 'chunk',
        entry,
        follows: size === null ? null : aTail(entry.number, size),
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('tail' as const),
      tail: fc.tuple(number, fc.integer({ min: 1, max: 4 })).map(([n, size]) => aTail(n, size)),
    }),
  },
  { weight: 2, arbitrary: length },
)

/** What happens about the end, good or bad. */
const ending: fc.Arbitrary<Change> = fc.oneof(
  { weight: 2, arbitrary: growth },
  { weight: 1, arbitrary: fc.constant<Change>({ type: 'completing' }) },
  { weight: 2, arbitrary: end },
  { weight: 1, arbitrary: end.map((change): Change => ({ ...change, ofFile: true })) },
  { weight: 2, arbitrary: fc.constantFrom('a', 'b').map((text): Change => ({ type: 'digest', sha256: sha256(text) })) },
  { weight: 1, arbitrary: fc.constant<Change>({ type: 'touch' }) },
)

const changes = (maxLength: number) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.array(growth, { maxLength }) },
    { weight: 1, arbitrary: fc.array(ending, { maxLength: 3 }) },
  )

/** One thing that happens to an upload, at one of two nodes. */
const step = fc.record({
  node: fc.nat(1),
  expiresAt: fc.integer({ min: 4_000, max: 9_000 }),
  changes: changes(4),
  /** What storage has heard, where the step is a merge with it. */
  stored: fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: changes(12) }),
})

/** What storage knows after changes that it was told of. */
function told(upload: Upload, changes: readonly Change[]): Upload {
  return changes.reduce((before, change) => {
    try {
      return applyChange(before, change)
    } catch {
      return before
    }
  }, upload)
}

/** The upload after it, or what it was refused with, in full. */
async function outcome(result: Promise<Upload | null>) {
  try {
    const upload = await result
    return upload === null ? null : plain(upload)
  } catch (error) {
    if (!isUploadError(error)) throw error
    return { code: error.code, message: error.message, details: error.details }
  }
}

/** Offset and the rest are read off the ledger that grew here, not off a fresh one. */
const readings = (upload: Upload | null) => upload && [upload.ledger.run, upload.ledger.durableBytes]

describeWithRedis('the rules in Redis', () => {
  it('are those of applyChange and of a merge in memory, whatever happens in whatever order', async () => {
    const memory = new MemoryState()
    const [one, two] = twoNodes()
    const others = [one.state, two.state] as const
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.nat(4 * CHUNKS)),
        fc.constantFrom(...STATUSES),
        fc.array(step, { minLength: 1, maxLength: 12 }),
        async (size, status, steps) => {
          const upload = anUpload({ manifest: aManifest({ size }), status })
          const { id } = upload.manifest
          for (const state of [memory, others[0]]) await state.adopt(upload)
          const scope = { kind: 'whole' } as const
          const here = await memory.locks.acquire(id, { scope, waitMs: 0 })
          const there = await others[0].locks.acquire(id, { scope, waitMs: 0 })
          for (const { node, changes, expiresAt, stored } of steps) {
            const other = others[node]!
            if (stored === null) {
              const expected = await outcome(memory.commit(id, changes, { lock: here, expiresAt }))
              expect(await outcome(other.commit(id, changes, { lock: there, expiresAt }))).toEqual(expected)
            } else {
              const known = told({ ...upload, status: 'initiated', ledger: new Ledger(), expiresAt }, stored)
              const expected = await outcome(memory.adopt(known))
              expect(await outcome(other.adopt(known))).toEqual(expected)
            }
            const [expected, found] = [await memory.find(id), await other.find(id)]
            expect(found && plain(found)).toEqual(expected && plain(expected))
            expect(readings(found)).toEqual(readings(expected))
          }
          await Promise.all([here.release(), there.release()])
        },
      ),
      { numRuns: 500 },
    )
  })
})
