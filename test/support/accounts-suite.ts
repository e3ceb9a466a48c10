import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { AccountLimits, Accounts, NewHolding } from '../../src/state/accounts.ts'

const NOW = Date.now()
const DAY = 86_400_000

/** A holding of an upload that may live for another day. */
const aHolding = (parts: Partial<NewHolding> = {}): NewHolding => ({
  id: randomUUID(),
  bytes: 10,
  at: NOW,
  until: NOW + DAY,
  ...parts,
})

/** What the accounts of every state do. `given`: those of the test that begins, of which nothing is known yet. */
export function describeAccounts(name: string, given: () => Accounts): void {
  describe(`${name}'s accounts`, () => {
    let accounts: Accounts
    const none: AccountLimits = { uploads: null, bytes: null }
    const reserve = (holding: NewHolding, limits: Partial<AccountLimits> = {}, owner = 'alice', now = NOW) =>
      accounts.reserve(owner, holding, { ...none, ...limits }, now)
    const idsOf = async (owner = 'alice') => (await accounts.page(owner, null, 100)).map(({ id }) => id)

    beforeEach(() => {
      accounts = given()
    })

    it('begin empty, for any owner there may be', async () => {
      for (const owner of ['alice', '', '{a}', 'ü%', 'x'.repeat(1_000)]) {
        expect(await accounts.page(owner, null, 10)).toEqual([])
        const holding = aHolding()
        expect(await reserve(holding, {}, owner)).toBeNull()
        expect(await accounts.page(owner, null, 10)).toEqual([holding])
      }
    })

    it('count the uploads of each owner apart', async () => {
      const limits = { uploads: 2 }
      expect(await reserve(aHolding(), limits)).toBeNull()
      expect(await reserve(aHolding(), limits)).toBeNull()
      expect(await reserve(aHolding(), limits)).toEqual({ of: 'uploads', limit: 2, used: 2, requested: 1 })
      expect(await reserve(aHolding(), limits, 'bob')).toBeNull()
    })

    it('count bytes, up to the limit itself and beyond 2^32', async () => {
      const limits = { bytes: 9_000_000_000_000_000 }
      expect(await reserve(aHolding({ bytes: 8_999_999_999_999_000 }), limits)).toBeNull()
      expect(await reserve(aHolding({ bytes: 1_001 }), limits)).toEqual({
        of: 'bytes',
        limit: 9_000_000_000_000_000,
        used: 8_999_999_999_999_000,
        requested: 1_001,
      })
      expect(await reserve(aHolding({ bytes: 1_000 }), limits)).toBeNull()
      expect(await reserve(aHolding({ bytes: 0 }), limits)).toBeNull()
    })

    it('reserve once for an upload, however often it is asked for', async () => {
      const holding = aHolding()
      for (let i = 0; i < 3; i += 1) expect(await reserve(holding, { uploads: 1, bytes: 10 })).toBeNull()
      expect(await accounts.page('alice', null, 10)).toEqual([holding])
    })

    it('leave what stands where more is refused', async () => {
      const holding = aHolding({ bytes: 4 })
      await reserve(holding)
      const excess = await reserve({ ...holding, bytes: 11 }, { bytes: 10 })
      expect(excess).toEqual({ of: 'bytes', limit: 10, used: 0, requested: 11 })
      expect(await accounts.page('alice', null, 10)).toEqual([holding])
    })

    it('never refuse less than is reserved, whatever the limit has become', async () => {
      const [one, other] = [aHolding({ bytes: 100 }), aHolding({ bytes: 100 })]
      await reserve(one)
      await reserve(other)
      expect(await reserve({ ...one, bytes: 50 }, { uploads: 1, bytes: 10 })).toBeNull()
      expect(await reserve(aHolding({ bytes: 1 }), { bytes: 151 })).toBeNull()
    })

    it('keep the more of two, where a length is not known', async () => {
      const holding = aHolding({ bytes: 10, atLeast: true })
      await reserve(holding)
      await reserve({ ...holding, bytes: 4 })
      await accounts.enter('alice', { ...holding, bytes: 6 })
      expect(await accounts.page('alice', null, 10)).toMatchObject([{ bytes: 10 }])
      await reserve({ ...holding, bytes: 7, atLeast: false })
      expect(await accounts.page('alice', null, 10)).toMatchObject([{ bytes: 7 }])
    })

    it('give back once, whoever does it again', async () => {
      const [one, other] = [aHolding(), aHolding()]
      await reserve(one)
      await reserve(other)
      for (let i = 0; i < 3; i += 1) await accounts.release('alice', one.id)
      await accounts.release('bob', other.id)
      expect(await reserve(aHolding({ bytes: 11 }), { bytes: 20 })).toMatchObject({ used: 10 })
      expect(await idsOf()).toEqual([other.id])
      await accounts.release('alice', other.id)
      expect(await reserve(aHolding({ bytes: 20 }), { uploads: 1, bytes: 20 })).toBeNull()
    })

    it('drop what is overdue before they refuse', async () => {
      const [overdue, other] = [aHolding({ until: NOW + 1_000 }), aHolding()]
      await reserve(overdue)
      await reserve(other)
      const next = aHolding()
      expect(await reserve(next, { uploads: 2 }, 'alice', NOW + 999)).not.toBeNull()
      expect(await reserve(next, { uploads: 2 }, 'alice', NOW + 1_000)).toBeNull()
      expect(await idsOf()).not.toContain(overdue.id)
      expect(await idsOf()).toContain(other.id)
    })

    it('enter what there is, whatever the limits', async () => {
      await reserve(aHolding({ bytes: 10 }), { uploads: 1, bytes: 10 })
      await accounts.enter('alice', aHolding({ bytes: 90 }))
      expect(await reserve(aHolding(), { uploads: 2 })).toMatchObject({ used: 2 })
      expect(await reserve(aHolding({ bytes: 1 }), { bytes: 100 })).toMatchObject({ used: 100 })
    })

    it('let no more in than fit of many at once', async () => {
      const refusals = await Promise.all(
        Array.from({ length: 20 }, () => reserve(aHolding({ bytes: 3 }), { bytes: 10 })),
      )
      expect(refusals.filter((excess) => excess === null)).toHaveLength(3)
    })

    describe('page', () => {
      it('is the newest first, from behind a place on', async () => {
        const holdings = [3, 1, 2, 5, 4].map((n) => aHolding({ at: NOW + n }))
        for (const holding of holdings) await accounts.enter('alice', holding)
        const sorted = holdings.toSorted((one, other) => other.at - one.at)
        expect(await accounts.page('alice', null, 2)).toEqual(sorted.slice(0, 2))
        expect(await accounts.page('alice', sorted[1] ?? null, 2)).toEqual(sorted.slice(2, 4))
        expect(await accounts.page('alice', sorted[3] ?? null, 2)).toEqual(sorted.slice(4))
        expect(await accounts.page('alice', sorted[4] ?? null, 2)).toEqual([])
      })

      it('leaves out nothing, and tells nothing twice, where many began at one time', async () => {
        const ids = Array.from({ length: 250 }, () => randomUUID())
        for (const id of ids) await accounts.enter('alice', aHolding({ id }))
        const seen: string[] = []
        for (;;) {
          const id = seen.at(-1)
          const page = await accounts.page('alice', id === undefined ? null : { at: NOW, id }, 40)
          if (page.length === 0) break
          seen.push(...page.map((holding) => holding.id))
        }
        expect(seen).toHaveLength(250)
        expect(seen.toSorted()).toEqual(ids.toSorted())
      })

      it('goes on behind a place whose upload has ended, and does not see what has begun meanwhile', async () => {
        const holdings = [1, 2, 3].map((n) => aHolding({ at: NOW + n }))
        for (const holding of holdings) await accounts.enter('alice', holding)
        const [newest] = await accounts.page('alice', null, 1)
        await accounts.release('alice', newest?.id ?? '')
        await accounts.enter('alice', aHolding({ at: NOW + 4 }))
        expect(await accounts.page('alice', newest ?? null, 10)).toEqual(holdings.slice(0, 2).toReversed())
      })
    })

    describe('are whole', () => {
      it('after a walk has come to its end', async () => {
        expect(await accounts.isWhole()).toBe(false)
        const walk = await accounts.beginWalk()
        expect(await accounts.isWhole()).toBe(false)
        await accounts.endWalk(walk)
        expect(await accounts.isWhole()).toBe(true)
        await accounts.beginWalk()
        expect(await accounts.isWhole()).toBe(true)
      })

      it('not after one that another has overtaken', async () => {
        const walk = await accounts.beginWalk()
        await accounts.beginWalk()
        await accounts.endWalk(walk)
        expect(await accounts.isWhole()).toBe(false)
      })
    })
  })
}
