import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Digests } from '../../../src/checksum/digests.ts'
import { CHUNK_SIZE, FakeSource, followToTheEnd, gate, makeDigests, turn } from '../../support/digest-source.ts'

/** What becomes of a chunk that is received. */
type Arrival = 'stored' | 'failed' | 'in two parts' | 'out of order' | 'lost, and other bytes'

describe('a file whose chunks are hashed as they come', () => {
  /** Receives a chunk as an operation does: it is fed, then recorded. */
  function receive(digests: Digests, source: FakeSource, id: string, number: number): void {
    const upload = source.upload(id)
    const feed = digests.feed(upload, number * CHUNK_SIZE)
    feed?.push([...source.chunk(id, number)].map((byte) => Buffer.from([byte])))
    feed?.endChunk()
    source.add(id, number)
    feed?.recorded(source.entry(id, number))
    feed?.end()
  }

  it('is never read back', async () => {
    const { source, digests } = makeDigests()
    for (const number of [0, 1, 2]) {
      receive(digests, source, 'a', number)
      digests.advance(source.upload('a'))
    }
    await digests.follow('a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.reads).toEqual([])
    expect(source.errors).toEqual([])
  })

  it('has its digest at hand without a reading, and the same when it is followed', async () => {
    const { source, digests } = makeDigests()
    receive(digests, source, 'a', 0)
    receive(digests, source, 'a', 1)
    expect(await digests.ready(source.upload('a'))).toBeNull()
    receive(digests, source, 'a', 2)
    expect(await digests.ready(source.upload('a'))).toBe(source.sha256('a'))
    expect(await digests.ready(source.upload('a'))).toBe(source.sha256('a'))
    expect(source.kept).toEqual([])
    await digests.follow('a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.reads).toEqual([])
    expect(await digests.ready(source.upload('a'))).toBeNull()
  })

  it('has none at hand where a chunk came out of order, or was lost and has come again', async () => {
    const { source, digests } = makeDigests({ a: 'abcdefgh', b: 'abcdefgh' })
    receive(digests, source, 'a', 1)
    receive(digests, source, 'a', 0)
    expect(await digests.ready(source.upload('a'))).toBeNull()
    receive(digests, source, 'b', 0)
    receive(digests, source, 'b', 1)
    source.replace('b', 0, 'ABCD')
    expect(await digests.ready(source.upload('b'))).toBeNull()
    await followToTheEnd(digests, source, 'b')
    expect(source.kept).toEqual([['b', source.sha256('b')]])
  })

  it('is read back from where the order ends, and fed again where the reader has caught up', async () => {
    const { source, digests } = makeDigests({ a: 'abcdefghijklmnopqr' })
    receive(digests, source, 'a', 0)
    receive(digests, source, 'a', 2)
    receive(digests, source, 'a', 1)
    digests.advance(source.upload('a'))
    await digests.follow('a')
    receive(digests, source, 'a', 3)
    receive(digests, source, 'a', 4)
    await digests.follow('a')
    expect(source.reads).toEqual([['a', 8, 12]])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
  })

  it('is fed by one at a time, from where it stands, and not while it is read', async () => {
    const { source, digests } = makeDigests()
    expect(digests.feed(source.upload('a'), 4)).toBeNull()
    const feed = digests.feed(source.upload('a'), 0)
    expect(digests.feed(source.upload('a'), 0)).toBeNull()
    feed?.end()
    source.add('a', 0)
    const held = gate(source, (call) => call === 'read')
    const following = digests.follow('a')
    await held.arrived(1)
    expect(digests.feed(source.upload('a'), 0)).toBeNull()
    held.open()
    await following
    expect(digests.feed(source.upload('a'), 0)).toBeNull()
    expect(digests.feed(source.upload('a'), 4)).not.toBeNull()
  })

  it('is read back where another has recorded what is being fed', async () => {
    const { source, digests } = makeDigests()
    const slow = digests.feed(source.upload('a'), 0)
    slow?.push([Buffer.from('abxx')])
    source.add('a', 0, 1, 2)
    await digests.follow('a')
    slow?.endChunk()
    slow?.recorded(source.entry('a', 0))
    slow?.end()
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.reads).toEqual([['a', 0, 10]])
  })

  it('is begun anew where a chunk was lost and has come again with other bytes', async () => {
    const { source, digests } = makeDigests({ a: 'abcdefgh' })
    receive(digests, source, 'a', 0)
    source.replace('a', 0, 'ABCD')
    receive(digests, source, 'a', 1)
    await followToTheEnd(digests, source, 'a')
    expect(source.kept).toEqual([['a', source.sha256('a')]])
    expect(source.sha256('a')).toBe(createHash('sha256').update('ABCDefgh').digest('hex'))
  })

  it('is not fed on from a tail that another has recorded, and reads its chunk from the beginning', async () => {
    const { source, digests } = makeDigests()
    const feed = digests.feed(source.upload('a'), 0)
    feed?.push([Buffer.from('abx')])
    feed?.suspended({ number: 0, size: 3, sha256: 'of abx' })
    source.upload('a').ledger.setTail({ number: 0, size: 3, sha256: 'of abc' })
    expect(digests.feed(source.upload('a'), 3)).toBeNull()
    source.add('a', 0, 1, 2)
    await digests.follow('a')
    expect(source.reads).toEqual([['a', 0, 10]])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
  })

  it('is read back where it was not told of each chunk in turn', async () => {
    const { source, digests } = makeDigests()
    const feed = digests.feed(source.upload('a'), 0)
    feed?.push([Buffer.from('abcdefgh')])
    feed?.endChunk()
    feed?.endChunk()
    source.add('a', 0, 1, 2)
    feed?.recorded(source.entry('a', 1))
    await digests.follow('a')
    expect(source.reads).toEqual([['a', 0, 10]])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
  })

  it('is not fed after it stopped, and what is being fed does no harm', async () => {
    const { source, digests } = makeDigests()
    const threads = vi.fn<() => void>()
    process.on('worker', threads)
    onTestFinished(() => void process.off('worker', threads))
    const feed = digests.feed(source.upload('a'), 0)
    feed?.push([Buffer.from('abcd')])
    const stopping = digests.stop().then(() => 'stopped')
    while ((await Promise.race([stopping, turn()])) !== 'stopped') {
      feed?.push([Buffer.from('efgh')])
      feed?.endChunk()
    }
    feed?.push([Buffer.from('ijkl')])
    feed?.end()
    expect(threads).toHaveBeenCalledTimes(1)
    expect(digests.feed(source.upload('a'), 0)).toBeNull()
    expect(source.errors).toEqual([])
  })

  it('is remembered of ten thousand uploads, and read from its beginning of another', async () => {
    const { source, digests } = makeDigests()
    receive(digests, source, 'a', 0)
    for (let number = 0; number < 10_000; number += 1) {
      source.begin(`b${number}`, Buffer.from('bbbb'))
      digests.feed(source.upload(`b${number}`), 0)?.end()
    }
    receive(digests, source, 'a', 1)
    receive(digests, source, 'a', 2)
    await digests.follow('a')
    expect(source.reads).toEqual([['a', 0, 10]])
    expect(source.kept).toEqual([['a', source.sha256('a')]])
  })

  it('has its SHA-256 whatever becomes of each chunk', async () => {
    const arrival = fc.constantFrom<Arrival>(
      'stored',
      'failed',
      'in two parts',
      'out of order',
      'lost, and other bytes',
    )
    const cases = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 30 }),
      arrivals: fc.array(arrival, { minLength: 8, maxLength: 8 }),
      follows: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ bytes, arrivals, follows }) => {
        const source = new FakeSource()
        const digests = new Digests(source)
        source.begin('a', Buffer.from(bytes))
        const count = Math.ceil(bytes.length / CHUNK_SIZE)
        for (let number = 0; number < count; number += 1) {
          const upload = source.upload('a')
          const chunk = source.chunk('a', number)
          const at = number * CHUNK_SIZE
          switch (arrivals[number]) {
            case 'failed': {
              const feed = digests.feed(upload, at)
              feed?.push([Buffer.from('xyz')])
              if (chunk.length > 2) feed?.endChunk()
              feed?.end()
              break
            }
            case 'in two parts': {
              if (chunk.length < 2) break
              const first = digests.feed(upload, at)
              first?.push([chunk.subarray(0, 1)])
              const tail = { number, size: 1, sha256: `tail ${number}` }
              upload.ledger.setTail(tail)
              first?.suspended(tail)
              const rest = digests.feed(upload, at + 1)
              if (first !== null) expect(rest).not.toBeNull()
              rest?.push([chunk.subarray(1)])
              rest?.endChunk()
              source.add('a', number)
              rest?.recorded(source.entry('a', number))
              rest?.end()
              break
            }
            case 'out of order':
              source.add('a', number)
              break
            case 'lost, and other bytes':
              receive(digests, source, 'a', number)
              source.replace('a', number, 'y'.repeat(chunk.length))
              break
            default:
          }
          if (!source.upload('a').ledger.chunks.has(number)) receive(digests, source, 'a', number)
          if (follows[number] === true) digests.advance(source.upload('a'))
          if (follows[number + 1] === true) await digests.follow('a')
        }
        await followToTheEnd(digests, source, 'a')
        await followToTheEnd(digests, source, 'a')
        expect(source.kept).toEqual([['a', source.sha256('a')]])
        expect(source.errors).toEqual([])
        await digests.stop()
      }),
      { numRuns: 200 },
    )
  })
})
