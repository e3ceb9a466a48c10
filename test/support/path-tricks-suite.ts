import { randomBytes, randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Call, callsOn, CREATIONS, type Ids, MOUNTS, nameOf } from './access-calls.ts'
import type { Host } from './guarded-hosts.ts'
import { cases } from './cases.ts'
import { targetsFor } from './path-tricks.ts'
import { inTurns, sendRaw } from './raw-request.ts'
import { requestTricks, trick, type Trick } from './request-tricks.ts'
import { makeTempDir } from './temp-dir.ts'

const AT_A_TIME = 48
/** For how long an answer is waited for that was not expected as it came, ms: the machine may be busy. */
const PATIENCE_MS = 10_000

const CALLS = callsOn({ id: '', fileId: '' }).length

/** A call on what is ann's, and the same on nothing. */
interface Target {
  readonly call: Call
  readonly ids: Ids
  readonly twin: Call
  readonly absent: Ids
}

/** What only the victim may see, wherever it stands. */
const MARKS = { name: `name-${randomBytes(8).toString('hex')}`, metadata: `data-${randomBytes(8).toString('hex')}` }
const CONTENT = 'q7z!k'

/** What is tried on a host. */
export interface TricksOptions {
  /**
   * Whether each trick is played on nothing, too, and the answers compared; else only where it was not answered as the plain
   * request is, of which that is known.
   */
  readonly alwaysCompare: boolean
  /**
   * 1: each trick is played on each method of each face, on another of its calls each time. 3: a third of that is.
   *
   * @default 1
   */
  readonly every?: number
}

/** The tricks on a host. It prints how many were tried. */
export function describePathTricks(
  name: string,
  start: (directory: string) => Promise<Host>,
  { alwaysCompare, every = 1 }: TricksOptions,
): void {
  describe(name, () => {
    let directory = ''
    let host: Host
    let authority = ''

    beforeAll(async () => {
      directory = await makeTempDir()
      host = await start(directory)
      authority = `127.0.0.1:${host.port}`
    })

    afterAll(async () => {
      await host.close()
      await rm(directory, { recursive: true, force: true })
    })

    const send = (one: Trick, identity: readonly string[], silenceMs?: number): Promise<string> =>
      sendRaw(host.port, one.bytes(identity), silenceMs)
    const sendAs = (user: 'ann' | 'eve', call: Call): Promise<string> =>
      send(trick('as it is', call, authority), host.as(user))

    /** An upload of ann's; with its bytes, and complete, where that is wanted. */
    async function victim(finished: boolean): Promise<Ids> {
      const body = JSON.stringify({
        fileName: `${MARKS.name}.txt`,
        fileSize: 5,
        metadata: { mark: MARKS.metadata },
      })
      const [initiate = expect.fail()] = CREATIONS
      const text = await sendAs('ann', { ...initiate, body })
      const { data } = JSON.parse(text.slice(text.indexOf('{'))) as { readonly data: Ids }
      if (finished) {
        for (const call of callsOn(data).slice(2, 4)) {
          const sent = call.body === undefined ? call : { ...call, body: CONTENT }
          expect(await sendAs('ann', sent)).toMatch(/^HTTP\/1\.1 200/)
        }
      }
      return data
    }

    /** What the victim's upload and file are, as far as nobody but their owner changes them. */
    async function stateOf({ id, fileId }: Ids): Promise<string> {
      const paths = [`${MOUNTS.api}/${id}`, `${MOUNTS.files}/${fileId}`, `${MOUNTS.files}/${fileId}/content`]
      const texts = await Promise.all(paths.map((path) => sendAs('ann', { method: 'GET', path, headers: {} })))
      return texts.map(lasting).join('\n')
    }

    /** The calls, each on an upload on which it would do something; and the same on nothing. */
    async function targets(): Promise<readonly Target[]> {
      const [begun, done] = [await victim(false), await victim(true)]
      const absent = { id: randomUUID(), fileId: randomUUID() }
      const [onBegun, onAbsent] = [callsOn(begun), callsOn(absent)]
      return callsOn(done).flatMap((onDone, n) => {
        const [onOther, twin] = [onBegun[n], onAbsent[n]]
        if (onOther === undefined || twin === undefined) return []
        return [
          wantsFile(onDone) ? { call: onDone, ids: done, twin, absent } : { call: onOther, ids: begun, twin, absent },
        ]
      })
    }

    /** What eve is told of the others' by a trick and not of nothing by the same, or null. */
    async function differs(
      one: Trick,
      other: Trick,
      ids: Ids,
      absent: Ids,
      silenceMs?: number,
    ): Promise<string | null> {
      const seen = plain(await send(one, host.as('eve'), silenceMs), one, ids)
      const expected = plain(await send(other, host.as('eve'), silenceMs), other, absent)
      return seen === expected ? null : `told ${seen}, and of nothing ${expected}`
    }

    /** The tricks that a call has its turn for, among those with the same method of the same face; all in a long run. */
    function played(tricks: readonly Trick[], calls: readonly Call[], at: number): readonly Trick[] {
      if (cases(1) > 1) return tricks
      const same = calls.flatMap((call, n) => (kindOf(call) === kindOf(calls[at]) ? [n] : []))
      const own = tricks.filter((_, n) => n % same.length === same.indexOf(at))
      return own.filter((_, n) => (n + at) % every === 0)
    }

    it('lets its owner in: what gets by is seen to', { timeout: 20_000 }, async () => {
      for (let n = 0; n < CALLS; n += 1) {
        // Made anew: one call ends what the next would find.
        const { call } = (await targets())[n] ?? expect.fail('there are fewer calls')
        expect(found(trick('as it is', call, authority), await sendAs('ann', call)), nameOf(call)).not.toBeNull()
      }
      const [progress] = await targets()
      let reached = 0
      const written = progress === undefined ? [] : targetsFor(progress.call.path, authority)
      await inTurns(written, AT_A_TIME, async ({ target }) => {
        const one = trick('', progress?.call ?? expect.fail(), authority, { target })
        if ((await send(one, host.as('ann'))).includes(MARKS.name)) reached += 1
      })
      console.log(`${name}: ${reached} of ${written.length} ways to write an address lead there`)
      expect(reached).toBeGreaterThan(10)
    })

    it('lets nobody else in, however the request is written', { timeout: 180_000 }, async () => {
      let tried = 0
      const gotBy: string[] = []
      const all = await targets()
      const calls = all.map(({ call }) => call)
      for (const [at, { call, ids, twin, absent }] of all.entries()) {
        const before = await stateOf(ids)
        const [tricks, twins] = [call, twin].map((one) => played(tricksOn(one, authority), calls, at))
        if (tricks === undefined || twins === undefined) return expect.fail()
        expect(twins).toHaveLength(tricks.length)
        // Of nothing, as it is: what the others' is like, too.
        const plainly = trick('as it is', twin, authority)
        const usual = plain(await send(plainly, host.as('eve')), plainly, absent)
        await inTurns(tricks, AT_A_TIME, async (one, n) => {
          const other = twins[n] ?? expect.fail('a trick without its twin')
          const asNobody = await send(one, [])
          const asEve = await send(one, host.as('eve'))
          tried += 2
          for (const [who, answer] of [
            ['nobody', asNobody],
            ['eve', asEve],
          ]) {
            const why = found(one, answer ?? '')
            if (why !== null) gotBy.push(`${who}: ${one.name}: ${why}`)
          }
          if (!alwaysCompare && plain(asEve, one, ids) === usual) return
          const difference =
            (await differs(one, other, ids, absent)) && (await differs(one, other, ids, absent, PATIENCE_MS))
          if (difference !== null) gotBy.push(`eve: ${one.name}: ${difference}`)
        })
        if ((await stateOf(ids)) !== before) gotBy.push(`${nameOf(call)}: the upload has changed`)
      }
      for (const [at, call] of CREATIONS.entries()) {
        const tricks = played(tricksOn(call, authority), CREATIONS, at)
        await inTurns(tricks, AT_A_TIME, async (one) => {
          const why = found(one, await send(one, []))
          tried += 1
          if (why !== null) gotBy.push(`nobody: ${one.name}: ${why}`)
        })
      }
      console.log(`${name}: ${tried} requests tried to get by, ${gotBy.length} did`)
      expect(gotBy).toEqual([])
      expect(tried).toBeGreaterThan(8000 / every)
    })
  })
}

/** A method of a face. */
function kindOf(call: Call | undefined): string {
  return `${call?.method} ${Object.values(MOUNTS).find((mount) => call?.path.startsWith(mount))}`
}

/** Whether a call finds something only when the file is there. */
function wantsFile({ method, path }: Call): boolean {
  return (
    path.startsWith(MOUNTS.files) || path.endsWith('/complete') || (method === 'GET' && path.startsWith(MOUNTS.tus))
  )
}

function tricksOn(call: Call, host: string): readonly Trick[] {
  const paths = targetsFor(call.path, host).map(({ name, target }) => trick(name, call, host, { target }))
  return [...paths, ...requestTricks(call, host)]
}

/** Statuses that say only that the request is none, or that somebody has to say who he is, or that nothing is there. */
const SAYS_NOTHING: ReadonlySet<number> = new Set([100, 400, 401, 404, 405, 412, 413, 414, 415, 417, 431, 501, 505])

/** Why an answer to somebody else lets that one in, or null. */
function found(one: Trick, answer: string): string | null {
  const told = `${answer}\n${inBase64(answer)}`
  for (const mark of [MARKS.name, MARKS.metadata, CONTENT]) if (told.includes(mark)) return `it tells ${mark}`
  for (const [, text = ''] of answer.matchAll(/^HTTP\/1\.\d (\d{3})/gm)) {
    const status = Number(text)
    if (status !== one.open && !SAYS_NOTHING.has(status)) return `it is ${status}`
  }
  return null
}

/** Whatever stands in an answer as base64, decoded. */
function inBase64(answer: string): string {
  return [...answer.matchAll(/[A-Za-z0-9+/]{12,}/g)].map(([text]) => Buffer.from(text, 'base64').toString()).join('\n')
}

/** An answer without what differs between any two, and between two ids. */
function plain(answer: string, { target }: Trick, { id, fileId }: Ids): string {
  let text = answer.replaceAll(/^(?:Date|X-Request-ID): .*\r\n/gim, '').replaceAll(/"requestId":"[^"]*"/g, '')
  for (const written of [target, JSON.stringify(target).slice(1, -1)]) text = text.replaceAll(written, 'TARGET')
  for (const one of [id, fileId]) text = text.replaceAll(new RegExp(one, 'gi'), 'ID')
  return text
}

/** Without what goes with the time: dates, the speed and what is foretold by it. */
function lasting(answer: string): string {
  return answer
    .replaceAll(/^(?:Date|X-Request-ID): .*\r\n/gim, '')
    .replaceAll(/"(?:requestId|estimatedTimeRemaining|bytesPerSecond)":(?:"[^"]*"|[^,}]*)/g, '')
}
