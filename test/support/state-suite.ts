import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger.ts'
import type { LockScope, UploadLock } from '../../src/locks/locker.ts'
import type { State } from '../../src/state/state.ts'
import type { Change, EndStatus, Upload, UploadStatus } from '../../src/upload.ts'
import { describeAccounts } from './accounts-suite.ts'
import { aManifest, anEntry, anUpload, aTail, chunkChange, plain, sha256 } from './upload-samples.ts'

/** A state under test. */
export interface StateFixture {
  readonly state: State
  close?(): Promise<void>
}

const whole: LockScope = { kind: 'whole' }
const completing: Change = { type: 'completing' }
const touch: Change = { type: 'touch' }
const length = (size: number): Change => ({ type: 'length', size, at: 3_000 })
const ended = (status: EndStatus, at = 9_000): Change => ({ type: 'ended', status, at })

/** Everything there is to know of one upload, or of none. */
const known = (upload: Upload | null) => (upload === null ? null : plain(upload))

/** What every {@link State} does, whatever it is built on. */
export function describeState(name: string, make: () => StateFixture | Promise<StateFixture>): void {
  describe(`${name} as a State`, () => {
    let fixture: StateFixture
    let state: State

    beforeEach(async () => {
      fixture = await make()
      state = fixture.state
    })

    afterEach(async () => {
      await state.close()
      await fixture.close?.()
    })

    describeAccounts(name, () => state.accounts)

    const take = (id: string, scope = whole): Promise<UploadLock> => state.locks.acquire(id, { scope, waitMs: 0 })

    /** Adopts an upload, and hands out what a writer needs. */
    async function begin(parts: Partial<Upload> = {}) {
      const upload = await state.adopt(anUpload(parts))
      const { id } = upload.manifest
      const lock = await take(id)
      const commit = (...changes: Change[]) => state.commit(id, changes, { lock, expiresAt: 0 })
      const found = async () => known(await state.find(id))
      return { id, lock, commit, found }
    }

    describe('find and forget', () => {
      it('knows nothing of an upload it was not told of', async () => {
        expect(await state.find(anUpload().manifest.id)).toBeNull()
      })

      it('finds an upload as it was adopted', async () => {
        const upload = anUpload({
          status: 'uploading',
          ledger: Ledger.of([anEntry(0, { etag: '"e0"' }), anEntry(2)], aTail(1, 3)),
        })
        expect(plain(await state.adopt(upload))).toEqual(plain(upload))
        expect(known(await state.find(upload.manifest.id))).toEqual(plain(upload))
      })

      it('finds an ended upload of deferred length with every field it has', async () => {
        const upload = anUpload({
          manifest: aManifest({ size: null, owner: null, checksum: sha256('x') }),
          size: 0,
          status: 'uploaded',
          endedAt: 7_000,
          digest: sha256(''),
        })
        await state.adopt(upload)
        expect(known(await state.find(upload.manifest.id))).toEqual(plain(upload))
      })

      it('tells uploads apart', async () => {
        const [one, other] = [await begin(), await begin()]
        await one.commit(chunkChange(0))
        expect((await other.found())?.ledger.chunks).toEqual([])
      })

      it('forgets one upload and no other', async () => {
        const [one, other] = [await begin(), await begin()]
        await state.forget(one.id)
        expect(await one.found()).toBeNull()
        expect(await one.commit(chunkChange(0))).toBeNull()
        expect(await other.found()).not.toBeNull()
        await state.forget(one.id)
      })
    })

    describe('commit', () => {
      it('answers with the upload after it, and that is what is found', async () => {
        const { commit, found } = await begin()
        const after = await commit(chunkChange(0), { type: 'tail', tail: aTail(1, 2) })
        expect(known(after)).toMatchObject({
          status: 'uploading',
          ledger: { chunks: [anEntry(0)], tail: aTail(1, 2) },
        })
        expect(await found()).toEqual(known(after))
      })

      it.each<[string, Change[], Partial<Upload>]>([
        ['a length', [length(3)], { size: 3 }],
        ['completing', [completing], { status: 'completing' }],
        ['a length that makes the tail the last chunk', [{ type: 'tail', tail: aTail(0, 3) }, length(3)], { size: 3 }],
        ['an end', [completing, ended('uploaded')], { status: 'uploaded', endedAt: 9_000 }],
        ['a digest', [{ type: 'digest', sha256: sha256('all') }], { digest: sha256('all') }],
        ['a sign of life', [touch], { status: 'initiated' }],
      ])('records %s', async (_, changes, expected) => {
        const { commit, found } = await begin({ size: null })
        await commit(...changes)
        expect(await found()).toMatchObject(expected)
      })

      it('keeps the first entry of a chunk', async () => {
        const { commit, found } = await begin()
        await commit(chunkChange(0, { at: 1 }))
        await commit(chunkChange(0, { at: 2 }))
        expect((await found())?.ledger.chunks).toEqual([anEntry(0, { at: 1 })])
      })

      it('never moves the offset back', async () => {
        const { commit, found } = await begin()
        await commit({ type: 'tail', tail: aTail(0, 3) })
        await commit({ type: 'tail', tail: aTail(0, 2) })
        expect((await found())?.ledger.tail).toEqual(aTail(0, 3))
      })

      it('answers null when nothing is known of the upload', async () => {
        const { id } = anUpload().manifest
        const lock = await take(id)
        expect(await state.commit(id, [chunkChange(0)], { lock, expiresAt: 0 })).toBeNull()
        expect(await state.commit(id, [touch], { lock: null, expiresAt: 0 })).toBeNull()
        expect(await state.find(id)).toBeNull()
      })

      it('moves the expiry on, and never back', async () => {
        const { id, lock, found } = await begin({ expiresAt: 5_000 })
        await state.commit(id, [chunkChange(0)], { lock, expiresAt: 6_000 })
        expect(await found()).toMatchObject({ expiresAt: 6_000 })
        const after = await state.commit(id, [touch], { lock: null, expiresAt: 4_000 })
        expect(after?.expiresAt).toBe(6_000)
        expect(await found()).toMatchObject({ expiresAt: 6_000 })
      })
    })

    describe('find, where what was seen last will do', () => {
      it('is right in what never changes, and knows no more than there is', async () => {
        const { id, commit } = await begin()
        await commit(chunkChange(0))
        const recent = await state.find(id, { recent: true })
        expect(recent?.manifest).toEqual((await state.find(id))?.manifest)
        expect([0, 1]).toContain(recent?.ledger.run)
      })

      it('knows nothing of an upload it was not told of', async () => {
        expect(await state.find(anUpload().manifest.id, { recent: true })).toBeNull()
      })

      it('knows nothing of an upload it has forgotten', async () => {
        const { id } = await begin()
        await state.forget(id)
        expect(await state.find(id, { recent: true })).toBeNull()
      })
    })

    describe('lock', () => {
      it('comes with the upload as it is', async () => {
        const { id, lock, commit } = await begin()
        await commit(chunkChange(0))
        await lock.release()
        const locked = await state.lock(id, { scope: { kind: 'chunk', number: 1 }, waitMs: 0 })
        expect(locked.lock).toMatchObject({ held: true, scope: { kind: 'chunk', number: 1 } })
        expect(known(locked.upload)).toMatchObject({ status: 'uploading', ledger: { chunks: [anEntry(0)] } })
      })

      it('comes with null where nothing is known of the upload', async () => {
        const { id } = anUpload().manifest
        const { lock, upload } = await state.lock(id, { scope: whole, waitMs: 0 })
        expect(upload).toBeNull()
        expect(lock.held).toBe(true)
      })

      it('is one under which commits are made', async () => {
        const { id } = (await state.adopt(anUpload())).manifest
        const { lock } = await state.lock(id, { scope: whole, waitMs: 0 })
        const after = await state.commit(id, [chunkChange(0)], { lock, expiresAt: 0 })
        expect(after?.ledger.run).toBe(1)
      })

      it('comes with what was committed while it waited', async () => {
        const { id, lock, commit } = await begin()
        const waiting = state.lock(id, { scope: whole, waitMs: 10_000 })
        await commit(chunkChange(0))
        await commit(completing)
        await lock.release()
        const { upload } = await waiting
        expect(known(upload)).toMatchObject({ status: 'completing', ledger: { chunks: [anEntry(0)] } })
      })

      it('is refused while somebody holds the upload', async () => {
        const { id } = await begin()
        const refused = state.lock(id, { scope: whole, waitMs: 0 })
        await expect(refused).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      })

      it('is refused to one who has gone', async () => {
        const { id } = await begin()
        const controller = new AbortController()
        const refused = state.lock(id, { scope: whole, waitMs: 10_000, signal: controller.signal })
        controller.abort()
        await expect(refused).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      })
    })

    describe('a commit that gives the lock back', () => {
      it('does so in the same step', async () => {
        const { id, lock } = await begin()
        const waiting = state.lock(id, { scope: whole, waitMs: 10_000 })
        const after = await state.commit(id, [chunkChange(0)], { lock, expiresAt: 0, release: true })
        expect(after?.ledger.run).toBe(1)
        expect(lock.held).toBe(false)
        expect((await waiting).upload?.ledger.run).toBe(1)
      })

      it('leaves nothing to release', async () => {
        const { id, lock, commit } = await begin()
        await state.commit(id, [chunkChange(0)], { lock, expiresAt: 0, release: true })
        const other = await take(id)
        await lock.release()
        expect(other.held).toBe(true)
        await expect(commit(chunkChange(1))).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      })

      it('keeps it where it is refused', async () => {
        const { id, lock } = await begin({ status: 'completing' })
        const refused = state.commit(id, [chunkChange(0)], { lock, expiresAt: 0, release: true })
        await expect(refused).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
        expect(lock.held).toBe(true)
        await expect(take(id)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      })

      it('keeps it where nothing is known of the upload', async () => {
        const { id } = anUpload().manifest
        const lock = await take(id)
        expect(await state.commit(id, [chunkChange(0)], { lock, expiresAt: 0, release: true })).toBeNull()
        expect(lock.held).toBe(true)
        await expect(take(id)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      })
    })

    describe('check', () => {
      it('is content with a state that answers', async () => {
        await expect(state.check()).resolves.toBeUndefined()
      })
    })

    describe('the lock of a commit', () => {
      it.each<LockScope>([{ kind: 'append' }, { kind: 'chunk', number: 0 }, whole])(
        'may be of scope $kind',
        async (scope) => {
          const { manifest } = await state.adopt(anUpload())
          const lock = await take(manifest.id, scope)
          const after = await state.commit(manifest.id, [chunkChange(0)], { lock, expiresAt: 0 })
          expect(after?.ledger.run).toBe(1)
        },
      )

      it('is refused when it was released', async () => {
        const { lock, commit, found } = await begin()
        const before = await found()
        await lock.release()
        await expect(commit(chunkChange(0))).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
        await expect(commit(touch)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
        expect(await found()).toEqual(before)
      })

      it('is refused when somebody else holds the upload by now', async () => {
        const { id, lock, commit, found } = await begin()
        await lock.release()
        await take(id)
        await expect(commit(completing)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
        expect(await found()).toMatchObject({ status: 'initiated' })
      })

      it('is refused when it belongs to another upload', async () => {
        const [one, other] = [await begin(), await begin()]
        const stolen = state.commit(one.id, [chunkChange(0)], { lock: other.lock, expiresAt: 0 })
        await expect(stolen).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      })

      it('is refused when only its word says that it is held', async () => {
        const { id } = await begin()
        const forged: UploadLock = {
          token: 'forged',
          scope: whole,
          held: true,
          moveTo: async () => {},
          giveBack: async () => {},
          release: async () => {},
        }
        const commit = state.commit(id, [chunkChange(0)], { lock: forged, expiresAt: 0 })
        await expect(commit).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      })

      it('is refused also when nothing is known of the upload', async () => {
        const { id, lock } = await begin()
        await lock.release()
        await state.forget(id)
        const commit = state.commit(id, [chunkChange(0)], { lock, expiresAt: 0 })
        await expect(commit).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
      })

      it('may be missing for a digest and a sign of life, also beside the lock of another', async () => {
        const { id, found } = await begin()
        await state.commit(id, [{ type: 'digest', sha256: sha256('all') }, touch], { lock: null, expiresAt: 8_000 })
        expect(await found()).toMatchObject({ digest: sha256('all'), expiresAt: 8_000 })
      })

      it.each<[string, Change]>([
        ['chunk', chunkChange(0)],
        ['tail', { type: 'tail', tail: aTail(0, 1) }],
        ['length', length(10)],
        ['completing', completing],
        ['ended', ended('cancelled')],
      ])('may not be missing for a change of type %s: that is a mistake of the program', async (type, change) => {
        const { id, found } = await begin()
        const before = await found()
        const commit = state.commit(id, [touch, change], { lock: null, expiresAt: 9_999 })
        await expect(commit).rejects.toThrow(`"${type}" is committed under a lock only`)
        await expect(commit).rejects.not.toHaveProperty('code')
        expect(await found()).toEqual(before)
      })
    })

    describe('a commit that is refused', () => {
      it.each<[string, UploadStatus, Change, string]>([
        ['a chunk', 'cancelled', chunkChange(0), 'UPLOAD_CANCELLED'],
        ['a tail', 'expired', { type: 'tail', tail: aTail(0, 1) }, 'UPLOAD_EXPIRED'],
        ['a sign of life', 'failed', touch, 'UPLOAD_FAILED'],
        ['a chunk', 'completing', chunkChange(0), 'UPLOAD_COMPLETED'],
        ['an expiry', 'completing', ended('expired'), 'UPLOAD_COMPLETED'],
        ['a failure', 'uploaded', ended('failed'), 'UPLOAD_COMPLETED'],
        ['another length', 'uploading', length(11), 'INVALID_REQUEST'],
      ])('is %s of an upload that is %s', async (_, status, change, code) => {
        const { commit, found } = await begin({ status })
        const before = await found()
        await expect(commit(change)).rejects.toMatchObject({ code })
        expect(await found()).toEqual(before)
      })

      it('does not move the expiry', async () => {
        const { id, lock, found } = await begin({ status: 'completing' })
        const commit = state.commit(id, [chunkChange(0)], { lock, expiresAt: 99_000 })
        await expect(commit).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
        expect(await found()).toMatchObject({ expiresAt: 5_000 })
      })

      it('leaves nothing of the changes before the one that failed', async () => {
        const { commit, found } = await begin({ size: null })
        const before = await found()
        const tooShort = commit(chunkChange(0), chunkChange(1), length(7))
        await expect(tooShort).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
        const tooLate = commit({ type: 'tail', tail: aTail(0, 2) }, completing, chunkChange(0))
        await expect(tooLate).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
        expect(await found()).toEqual(before)
      })

      it('leaves nothing behind, whatever the changes are', async () => {
        await fc.assert(
          fc.asyncProperty(histories, fc.array(changes, { minLength: 1, maxLength: 6 }), async (history, batch) => {
            const { lock, commit, found } = await begin({ size: null })
            for (const change of history) await commit(change).catch(() => {})
            const before = await found()
            const refused = await commit(...batch).then(
              () => false,
              () => true,
            )
            if (refused) expect(await found()).toEqual(before)
            await lock.release()
          }),
          { numRuns: 300 },
        )
      })
    })

    describe('merge', () => {
      it('finds what storage knows, and nothing where that knows nothing', async () => {
        const upload = anUpload({ ledger: Ledger.of([anEntry(0)]) })
        const { id } = upload.manifest
        expect(await state.merge(id, async () => null)).toBeNull()
        expect(await state.find(id)).toBeNull()
        expect(known(await state.merge(id, async () => upload))).toEqual(plain(upload))
        expect(known(await state.find(id))).toEqual(plain(upload))
      })

      it('asks storage again where something was forgotten meanwhile that it may have been too early to see', async () => {
        const { manifest, ledger } = anUpload()
        const { id } = manifest
        const now = anUpload({ manifest, status: 'uploaded', endedAt: 9_000, ledger })
        let asked = 0
        const merged = await state.merge(id, async () => {
          asked += 1
          if (asked > 1) return now
          const { id } = await state.adopt(now).then((upload) => upload.manifest)
          await state.forget(id)
          return anUpload({ manifest, ledger })
        })
        expect(known(merged)).toEqual(plain(now))
        expect(known(await state.find(id))).toEqual(plain(now))
        expect(asked).toBe(2)
      })

      it('takes what two have asked for at the same time', async () => {
        const { manifest } = anUpload()
        const { id } = manifest
        const load = (number: number) => async () => anUpload({ manifest, ledger: Ledger.of([anEntry(number)]) })
        const merged = await state.merge(id, async () => {
          await state.merge(id, load(0))
          return load(1)()
        })
        expect(new Set(merged?.ledger.chunks.keys())).toEqual(new Set([0, 1]))
      })
    })

    describe('adopt', () => {
      it('keeps a ledger of its own', async () => {
        const upload = anUpload()
        await state.adopt(upload)
        upload.ledger.add(anEntry(0))
        expect(known(await state.find(upload.manifest.id))?.ledger.chunks).toEqual([])
      })

      it('answers with the union of both ledgers; what was known of a chunk stays', async () => {
        const manifest = aManifest()
        const mine = Ledger.of([anEntry(0, { at: 1 }), anEntry(2)])
        const theirs = Ledger.of([anEntry(0, { at: 99 })], aTail(1, 2))
        await state.adopt(anUpload({ manifest, status: 'uploading', ledger: mine }))
        const union = await state.adopt(anUpload({ manifest, status: 'uploading', ledger: theirs }))
        expect(plain(union).ledger).toEqual({ chunks: [anEntry(0, { at: 1 }), anEntry(2)], tail: aTail(1, 2) })
        expect(known(await state.find(manifest.id))).toEqual(plain(union))
      })

      it('changes nothing of what was handed to it', async () => {
        const manifest = aManifest()
        const theirs = anUpload({ manifest, ledger: Ledger.of([anEntry(1)]) })
        await state.adopt(anUpload({ manifest, ledger: Ledger.of([anEntry(0)]) }))
        await state.adopt(theirs)
        expect(plain(theirs).ledger.chunks).toEqual([anEntry(1)])
      })

      it('takes size, digest and end from whoever knows them', async () => {
        const manifest = aManifest({ size: null })
        const end = { status: 'uploaded', endedAt: 7_000 } as const
        const knows = anUpload({ manifest, ...end, size: 8, digest: sha256('all') })
        const knowsNot = anUpload({ manifest, ...end, endedAt: null, size: null })
        for (const [first, second] of [
          [knows, knowsNot],
          [knowsNot, knows],
        ] as const) {
          await state.forget(manifest.id)
          await state.adopt(first)
          expect(plain(await state.adopt(second))).toEqual(plain(knows))
        }
      })

      it('keeps the later expiry', async () => {
        const manifest = aManifest()
        for (const expiresAt of [6_000, 4_000]) await state.adopt(anUpload({ manifest, expiresAt }))
        expect(await state.find(manifest.id)).toMatchObject({ expiresAt: 6_000 })
      })

      it.each<[UploadStatus, UploadStatus]>([
        ['uploading', 'initiated'],
        ['completing', 'initiated'],
        ['completing', 'uploading'],
        ['expired', 'uploading'],
        ['cancelled', 'uploading'],
        ['cancelled', 'completing'],
        ['failed', 'completing'],
        ['uploaded', 'uploading'],
        ['uploaded', 'completing'],
        // A file that stands under its key is not undone by somebody who did not see it.
        ['uploaded', 'expired'],
        ['uploaded', 'failed'],
        // Only a cancel removes a finished file.
        ['cancelled', 'uploaded'],
      ])('takes %s for later than %s, whichever it heard first', async (later, earlier) => {
        const manifest = aManifest()
        const endOf = (status: UploadStatus) => {
          if (status === 'initiated' || status === 'uploading' || status === 'completing') return null
          return status === later ? 7_000 : 6_000
        }
        const pair = [later, earlier].map((status) => anUpload({ manifest, status, endedAt: endOf(status) }))
        for (const order of [pair, pair.toReversed()]) {
          await state.forget(manifest.id)
          for (const upload of order) await state.adopt(upload)
          expect(await state.find(manifest.id)).toMatchObject({ status: later, endedAt: endOf(later) })
        }
      })

      it('lets a lock that was taken before go on being good', async () => {
        const manifest = aManifest()
        const lock = await take(manifest.id)
        await state.adopt(anUpload({ manifest }))
        const after = await state.commit(manifest.id, [chunkChange(0)], { lock, expiresAt: 0 })
        expect(after?.status).toBe('uploading')
      })
    })

    describe('due', () => {
      it('names the open uploads whose time has come', async () => {
        const cases: [UploadStatus, number][] = [
          ['initiated', 4_999],
          ['uploading', 5_000],
          ['uploading', 5_001],
          ['completing', 1],
          ['uploaded', 1],
          ['cancelled', 1],
        ]
        const ids: string[] = []
        for (const [status, expiresAt] of cases) {
          ids.push((await state.adopt(anUpload({ status, expiresAt }))).manifest.id)
        }
        expect((await state.due(5_000)).toSorted()).toEqual(ids.slice(0, 2).toSorted())
        expect(await state.due(4_998)).toEqual([])
      })

      it('follows commits, ends and forgetting', async () => {
        const [kept, done, gone] = [await begin(), await begin(), await begin()]
        expect(await state.due(5_000)).toHaveLength(3)
        await state.commit(kept.id, [touch], { lock: null, expiresAt: 6_000 })
        await done.commit(completing)
        await state.forget(gone.id)
        expect(await state.due(5_000)).toEqual([])
        expect(await state.due(6_000)).toEqual([kept.id])
      })
    })
  })
}

const sizes = fc.integer({ min: 0, max: 12 })

/** Any change, good or bad. */
const changes: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.nat(3).map((number) => chunkChange(number)) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 3 })).map(([number, size]) => ({
      type: 'tail' as const,
      tail: aTail(number, size),
    })),
  },
  { weight: 2, arbitrary: sizes.map(length) },
  { weight: 1, arbitrary: fc.constant(completing) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<EndStatus>('uploaded', 'cancelled', 'expired', 'failed').map((status) => ended(status)),
  },
  { weight: 1, arbitrary: fc.constant<Change>({ type: 'digest', sha256: sha256('all') }) },
  { weight: 1, arbitrary: fc.constant(touch) },
)

/** What may have happened before. */
const histories = fc.array(changes, { maxLength: 4 })
