import { createHash } from 'node:crypto'
import { rename, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Digests } from '../../../src/checksum/digests.ts'
import { CHUNK_SIZE, failAt, FakeSource, followToTheEnd, gate, makeDigests, turn } from '../../support/digest-source.ts'
import { tempDir } from '../../support/temp-dir.ts'

describe('the digest of a file', () => {
  it('is kept once, when every chunk is there', async () => {
    const { source, digests } = makeDigests()
    source.add('a', 0, 1, 2)
    await digests.follow('a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    await digests.follow('a')
    expect(source.kept).toHaveLength(1)
    expect(source.errors).toEqual([])
  })

  it('follows the unbroken run only, and reads no byte twice', async () => {
    const { source, digests } = makeDigests()
    source.add('a', 0, 2)
    await digests.follow('a')
    expect(source.reads).toEqual([['a', 0, 4]])
    await digests.follow('a')
    expect(source.reads).toHaveLength(1)
    expect(source.kept).toEqual([])
    source.add('a', 1)
    await digests.follow('a')
    expect(source.reads).toEqual([
      ['a', 0, 4],
      ['a', 4, 10],
    ])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
  })

  it('reads nothing of a tail, and nothing where the run has not begun', async () => {
    const { source, digests } = makeDigests()
    source.add('a', 1)
    source.upload('a').ledger.setTail({ number: 0, size: 3, sha256: 'tail' })
    await digests.follow('a')
    expect(source.reads).toEqual([])
  })

  it('is that of no bytes for an empty file', async () => {
    const { source, digests } = makeDigests({ a: '' })
    await digests.follow('a')
    expect(source.kept).toEqual([['a', createHash('sha256').digest('hex')]])
    expect(source.reads).toEqual([])
  })

  it('waits for the length while it is deferred, also where all bytes are there', async () => {
    const { source, digests } = makeDigests({ a: 'abcdefgh' })
    source.add('a', 0, 1)
    source.change('a', { size: null })
    await digests.follow('a')
    expect(source.kept).toEqual([])
    source.change('a', { size: 8 })
    await digests.follow('a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.reads).toEqual([['a', 0, 8]])
  })

  it.each(['cancelled', 'expired', 'failed'] as const)('is not made of an upload that is %s', async (status) => {
    const { source, digests } = makeDigests()
    source.add('a', 0, 1, 2)
    source.change('a', { status })
    await digests.follow('a')
    expect(source.reads).toEqual([])
    expect(source.kept).toEqual([])
  })

  it('is not made where it is known, or where there is no upload', async () => {
    const { source, digests } = makeDigests()
    source.add('a', 0, 1, 2)
    source.change('a', { digest: 'known' })
    await digests.follow('a')
    await digests.follow('nobody')
    expect(source.reads).toEqual([])
    expect(source.kept).toEqual([])
    expect(source.errors).toEqual([])
  })

  it('takes in what becomes durable while it reads', async () => {
    const { source, digests } = makeDigests()
    const held = gate(source, (call) => call === 'read')
    source.add('a', 0)
    const following = digests.follow('a')
    await held.arrived(1)
    source.add('a', 1, 2)
    held.open()
    await following
    expect(source.readsOf('a')).toEqual([
      [0, 4],
      [4, 10],
    ])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
  })

  it('takes in what it is asked to follow while it looks for the last time', async () => {
    const { source, digests } = makeDigests()
    source.add('a', 0)
    await digests.follow('a')
    const held = gate(source, (call) => call === 'find')
    const first = digests.follow('a')
    await held.arrived(1)
    source.add('a', 1, 2)
    const second = digests.follow('a')
    held.open()
    await Promise.all([first, second])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
  })

  it('is read by one follower for all who ask', async () => {
    const { source, digests } = makeDigests()
    source.add('a', 0, 1, 2)
    await Promise.all([digests.follow('a'), digests.follow('a'), digests.follow('a')])
    expect(source.reads).toHaveLength(1)
    expect(source.kept).toHaveLength(1)
  })

  it('is right under any order of chunks and of everything that is under way, errors among it', async () => {
    const cases = fc.integer({ min: 0, max: 30 }).chain((size) => {
      const numbers = Array.from({ length: Math.ceil(size / CHUNK_SIZE) }, (_, n) => n)
      return fc.record({
        bytes: fc.uint8Array({ minLength: size, maxLength: size }),
        order: fc.shuffledSubarray(numbers, { minLength: numbers.length }),
        /** Which calls fail, from the first on. */
        failures: fc.array(fc.boolean(), { maxLength: 12 }),
      })
    })
    await fc.assert(
      fc.asyncProperty(cases, fc.scheduler(), async ({ bytes, order, failures }, scheduler) => {
        const source = new FakeSource()
        const digests = new Digests(source)
        source.begin('a', Buffer.from(bytes))
        const left = [...failures]
        source.before = async (call) => {
          await scheduler.schedule(Promise.resolve(), call)
          if (call !== 'find' && left.shift() === true) throw new Error(`${call} fails`)
        }
        const arrivals = order.map((number) => ({
          label: `chunk ${number}`,
          builder: async () => {
            source.add('a', number)
            void digests.follow('a')
          },
        }))
        scheduler.scheduleSequence(arrivals)
        await scheduler.waitIdle()
        const injected = failures.length - left.length
        for (let i = 0; i <= failures.length; i += 1) await scheduler.waitFor(followToTheEnd(digests, source, 'a'))
        expect(source.kept).toEqual([['a', source.sha256('a')]])
        expect(source.errors.length).toBeGreaterThanOrEqual(failures.slice(0, injected).filter(Boolean).length)
      }),
    )
  })
})

describe('a file that the thread can read', () => {
  /** Files `first` and `second`, of which the upload's bytes are in the first. */
  async function inFile() {
    const { source, digests } = makeDigests({ a: 'abcdefghij' })
    const folder = await tempDir()
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    await writeFile(first, 'abcdefghij')
    source.files.set('a', [first, second])
    return { source, digests, first, second }
  }

  it('is read by it, and by nobody else', async () => {
    const { source, digests } = await inFile()
    source.add('a', 0)
    await digests.follow('a')
    source.add('a', 1, 2)
    await digests.follow('a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect([source.reads, source.errors]).toEqual([[], []])
  })

  it('is read on where it has been moved', async () => {
    const { source, digests, first, second } = await inFile()
    source.add('a', 0)
    await digests.follow('a')
    await rename(first, second)
    source.add('a', 1, 2)
    await digests.follow('a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.reads).toEqual([])
  })

  it('is asked for from where the thread came no further', async () => {
    const { source, digests, first } = await inFile()
    await truncate(first, 7)
    source.add('a', 0, 1, 2)
    await digests.follow('a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.reads).toEqual([['a', 7, 10]])
  })

  it('is asked for as a whole where it is in no file after all', async () => {
    const { source, digests } = makeDigests()
    source.files.set('a', [join(await tempDir(), 'nowhere')])
    source.add('a', 0, 1, 2)
    await digests.follow('a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.reads).toEqual([['a', 0, 10]])
  })

  it('that is dropped meanwhile is read by nobody any more, and not kept', async () => {
    const { source, digests } = await inFile()
    source.add('a', 0, 1, 2)
    const held = gate(source, (call) => call === 'find')
    const following = digests.follow('a')
    await held.arrived(1)
    held.open()
    await turn()
    digests.drop('a')
    await following
    expect([source.kept, source.reads, source.errors]).toEqual([[], [], []])
  })
})

describe('the followers of files', () => {
  it('read two files at once, the others in turn', async () => {
    const files = { a: 'aaaa', b: 'bbbb', c: 'cccc', d: 'dddd', e: 'eeee' }
    const { source, digests } = makeDigests(files)
    const held = gate(source, (call) => call === 'read')
    for (const id of Object.keys(files)) source.add(id, 0)
    const all = Promise.all(Object.keys(files).map((id) => digests.follow(id)))
    await held.arrived(2)
    await turn()
    expect(held.ids()).toEqual(['a', 'b'])
    held.letOne()
    await held.arrived(2)
    await turn()
    expect(held.ids()).toEqual(['b', 'c'])
    held.open()
    await all
    expect(source.mostReading).toBe(2)
    expect(new Map(source.kept)).toEqual(new Map(Object.keys(files).map((id) => [id, source.sha256(id)])))
  })

  it('have first those that somebody waits for, also who waits in line already', async () => {
    const files = { a: 'aaaa', b: 'bbbb', c: 'cccc', d: 'dddd', e: 'eeee', f: 'ffff' }
    const { source, digests } = makeDigests(files)
    const held = gate(source, (call) => call === 'read')
    for (const id of Object.keys(files)) source.add(id, 0)
    const all = ['a', 'b', 'c', 'd'].map((id) => digests.follow(id))
    await held.arrived(2)
    all.push(digests.follow('d', { awaited: true }), digests.follow('e', { awaited: true }), digests.follow('f'))
    const order: string[] = []
    for (let number = 0; number < 6; number += 1) {
      await held.arrived(Math.min(2, 6 - number))
      order.push(held.ids()[0] ?? '')
      held.letOne()
      await turn()
    }
    await Promise.all(all)
    expect(order).toEqual(['a', 'b', 'd', 'e', 'c', 'f'])
    expect(source.kept).toHaveLength(6)
  })

  it('are two also where another is asked for in the moment one ends', async () => {
    const files = { a: 'aaaa', b: 'bbbb', c: 'cccc', d: 'dddd' }
    const { source, digests } = makeDigests(files)
    for (const id of Object.keys(files)) source.add(id, 0)
    const held = gate(source, (call) => call === 'read')
    const following = ['a', 'b', 'c'].map((id) => digests.follow(id))
    await held.arrived(2)
    const { before } = source
    source.before = (call, id) => {
      if (id === 'a') throw new Error('the disk hiccups')
      return before(call, id)
    }
    source.onReported = () => queueMicrotask(() => following.push(digests.follow('d')))
    held.letOne()
    await turn()
    held.open()
    await Promise.all(following)
    await turn()
    expect(source.errors).toHaveLength(1)
    expect(source.kept.map(([id]) => id).toSorted()).toEqual(['b', 'c', 'd'])
    expect(source.mostReading).toBe(2)
  })

  it.each([
    ['find', 0],
    ['read', 0],
    ['piece', 0],
    ['piece', 1],
    ['keep', 0],
  ] as const)('report it when %s fails (call %i) and begin anew with the next call', async (call, nth) => {
    const { source, digests } = makeDigests()
    source.add('a', 0, 1, 2)
    const error = failAt(source, call, nth)
    await digests.follow('a')
    expect(source.errors).toEqual([[error, expect.stringContaining('a')]])
    expect(source.kept).toEqual([])
    await digests.follow('a')
    expect(source.readsOf('a').at(-1)).toEqual([0, 10])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.errors).toHaveLength(1)
  })

  it('leave their turn to others when they fail', async () => {
    const { source, digests } = makeDigests({ a: 'aaaa', b: 'bbbb', c: 'cccc', d: 'dddd' })
    source.before = (call, id) => {
      if (call === 'read' && id < 'd') throw new Error('the disk hiccups')
    }
    for (const id of ['a', 'b', 'c', 'd']) source.add(id, 0)
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => digests.follow(id)))
    expect(source.errors).toHaveLength(3)
    expect(source.kept).toEqual([['d', source.sha256('d')]])
  })
})

describe('a dropped follower', () => {
  it('reads no further, and keeps nothing', async () => {
    const { source, digests } = makeDigests()
    const held = gate(source, (call) => call === 'piece')
    source.add('a', 0, 1, 2)
    const following = digests.follow('a')
    await held.arrived(1)
    digests.drop('a')
    held.letOne()
    await following
    expect(held.ids()).toEqual([])
    expect(source.reading).toBe(0)
    expect(source.kept).toEqual([])
    expect(source.errors).toEqual([])
  })

  it('leaves nothing behind for the next, which begins anew', async () => {
    const { source, digests } = makeDigests()
    source.add('a', 0)
    await digests.follow('a')
    digests.drop('a')
    digests.drop('nobody')
    source.add('a', 1, 2)
    await digests.follow('a')
    expect(source.readsOf('a')).toEqual([
      [0, 4],
      [0, 10],
    ])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
  })
})

describe('stopping', () => {
  it('waits for the reads under way, begins no other, and keeps nothing', async () => {
    const { source, digests } = makeDigests({ a: 'aaaa', b: 'bbbb', c: 'cccc' })
    const held = gate(source, (call) => call === 'read')
    for (const id of ['a', 'b', 'c']) source.add(id, 0)
    const following = ['a', 'b', 'c'].map((id) => digests.follow(id))
    await held.arrived(2)
    let stopped = false
    const stop = digests.stop().then(() => (stopped = true))
    await turn()
    expect(stopped).toBe(false)
    held.letOne()
    await turn()
    expect(stopped).toBe(false)
    held.open()
    await stop
    await Promise.all(following)
    expect(source.reading).toBe(0)
    expect(source.reads).toHaveLength(2)
    expect(source.kept).toEqual([])
    expect(source.errors).toEqual([])
  })

  it('waits also for the read of a follower that was dropped', async () => {
    const { source, digests } = makeDigests()
    const held = gate(source, (call) => call === 'read')
    source.add('a', 0, 1, 2)
    const following = digests.follow('a')
    await held.arrived(1)
    digests.drop('a')
    let stopped = false
    const stop = digests.stop().then(() => (stopped = true))
    await turn()
    expect(stopped).toBe(false)
    held.open()
    await stop
    await following
    expect(source.reading).toBe(0)
  })

  it('is for good', async () => {
    const { source, digests } = makeDigests()
    source.add('a', 0, 1, 2)
    await digests.stop()
    await digests.follow('a')
    expect(source.finds).toBe(0)
    await digests.stop()
  })
})
