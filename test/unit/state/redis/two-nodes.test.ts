import { expect, it } from 'vitest'
import { Ledger } from '../../../../src/ledger.ts'
import type { State } from '../../../../src/state/state.ts'
import type { Upload } from '../../../../src/upload.ts'
import { describeWithRedis } from '../../../support/services/redis.ts'
import { aManifest, anEntry, anUpload, aTail, chunkChange, plain, sha256 } from '../../../support/upload-samples.ts'
import { commit, numbers, twoNodes } from './redis-nodes.ts'

describeWithRedis('RedisState on two nodes', () => {
  it('shows each the commits of the other at once', async () => {
    const [one, two] = twoNodes()
    const { id } = (await one.state.adopt(anUpload({ manifest: aManifest({ size: null }) }))).manifest
    for (let number = 0; number < 6; number += 1) {
      const [writer, reader] = number % 2 === 0 ? [one, two] : [two, one]
      const after = await commit(writer.state, id, chunkChange(number), { type: 'tail', tail: aTail(number + 1, 2) })
      const found = await reader.state.find(id)
      expect(found && plain(found)).toEqual(after && plain(after))
      expect(found?.ledger.offset({ chunkSize: 4, size: null })).toBe(4 * (number + 1) + 2)
    }
    await one.state.commit(id, [{ type: 'digest', sha256: sha256('all') }], { lock: null, expiresAt: 8_000 })
    expect(await two.state.find(id)).toMatchObject({ digest: sha256('all'), expiresAt: 8_000 })
  })

  it('lets the ledger that a reader holds grow, instead of building it anew', async () => {
    const [one, two] = twoNodes()
    const { manifest, ledger } = await one.state.adopt(anUpload())
    await commit(two.state, manifest.id, chunkChange(1))
    expect((await one.state.find(manifest.id))?.ledger).toBe(ledger)
    expect(ledger.chunks.has(1)).toBe(true)
    const adopted = await one.state.adopt(anUpload({ manifest, ledger: Ledger.of([anEntry(0)]) }))
    expect(adopted.ledger).toBe(ledger)
    expect(ledger.run).toBe(2)
  })

  it('has a new ledger where the upload was forgotten and adopted again', async () => {
    const [one, two] = twoNodes()
    const { manifest } = await one.state.adopt(anUpload({ ledger: Ledger.of([anEntry(0), anEntry(1)]) }))
    const before = await two.state.find(manifest.id)
    await one.state.forget(manifest.id)
    await one.state.adopt(anUpload({ manifest, ledger: Ledger.of([anEntry(1)]) }))
    const after = await two.state.find(manifest.id)
    expect(numbers(after)).toEqual([1])
    expect(numbers(before)).toEqual([0, 1])
  })

  it('finds what was committed by another node while a lock was waited for', async () => {
    const [one, two] = twoNodes()
    const { id } = (await one.state.adopt(anUpload())).manifest
    await two.state.find(id)
    const { lock } = await one.state.lock(id, { scope: { kind: 'whole' }, waitMs: 0 })
    const waiting = two.state.lock(id, { scope: { kind: 'whole' }, waitMs: 10_000 })
    await one.state.commit(id, [chunkChange(0)], { lock, expiresAt: 0, release: true })
    expect(numbers((await waiting).upload)).toEqual([0])
  })

  it('makes one record where both adopt large ledgers at once', async () => {
    const [one, two] = twoNodes()
    const manifest = aManifest({ size: null })
    const entries = Array.from({ length: 5_000 }, (_, number) => anEntry(number))
    const even = Ledger.of(entries.filter(({ number }) => number % 2 === 0))
    const odd = Ledger.of(entries.filter(({ number }) => number % 2 === 1))
    const adopted = await Promise.all([
      one.state.adopt(anUpload({ manifest, status: 'uploading', ledger: even })),
      two.state.adopt(anUpload({ manifest, status: 'completing', ledger: odd })),
    ])
    expect(adopted.map(({ ledger }) => ledger.chunks.size).some((size) => size === 5_000)).toBe(true)
    for (const { state } of [one, two]) {
      const found = await state.find(manifest.id)
      expect(found?.ledger.run).toBe(5_000)
      expect(found?.status).toBe('completing')
      expect(plain(found!).ledger.chunks).toEqual(entries)
    }
  })

  it('shows nobody an upload of which only a part was adopted', async () => {
    const [one, two] = twoNodes()
    const ledger = Ledger.of(Array.from({ length: 3_000 }, (_, number) => anEntry(number)))
    const upload = anUpload({ manifest: aManifest({ size: null }), ledger })
    const adopting = one.state.adopt(upload)
    const seen = new Set<number | undefined>()
    const over = { yet: false }
    const noted = adopting.finally(() => (over.yet = true))
    while (!over.yet) seen.add((await two.state.find(upload.manifest.id))?.ledger.run)
    await noted
    expect([...seen].filter((run) => run !== undefined && run !== 3_000)).toEqual([])
  })

  it.each<[string, (state: State, upload: Upload) => Promise<unknown>]>([
    ['is dropped', (state, { manifest }) => state.forget(manifest.id)],
    [
      'is dropped, and made by somebody who knows less',
      async (state, { manifest }) => {
        await state.forget(manifest.id)
        await state.adopt(anUpload({ manifest, ledger: Ledger.of([anEntry(1_500)]) }))
      },
    ],
  ])('begins again where the record %s between two calls of an adoption', async (_, disturb) => {
    const [one, two] = twoNodes()
    const ledger = Ledger.of(Array.from({ length: 3_000 }, (_, number) => anEntry(number)))
    const upload = anUpload({ manifest: aManifest({ size: null }), ledger })
    const { id } = upload.manifest
    await one.state.adopt(anUpload())
    const { redis } = one
    const evalsha = redis.evalsha.bind(redis) as (...args: unknown[]) => Promise<unknown>
    let calls = 0
    Object.assign(redis, {
      evalsha: async (...args: unknown[]) => {
        calls += 1
        if (calls === 3) await disturb(two.state, upload)
        return evalsha(...args)
      },
    })
    expect((await one.state.adopt(upload)).ledger.run).toBe(3_000)
    expect(calls).toBe(6)
    expect((await two.state.find(id))?.ledger.run).toBe(3_000)
  })

  it('adds nothing to a record that has it all', async () => {
    const [one, two] = twoNodes()
    const upload = anUpload({ ledger: Ledger.of([anEntry(0), anEntry(1)]) })
    for (const { state } of [one, two, one]) await state.adopt(upload)
    expect(await one.redis.llen(`${one.prefix}{${upload.manifest.id}}:entries`)).toBe(2)
  })
})
