import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Digests, type DigestSource } from '../../../src/checksum/digests.ts'
import { chunkLength } from '../../../src/grid.ts'
import { type ChunkEntry, Ledger } from '../../../src/ledger.ts'
import { gridOf, type StoredUpload, type Upload } from '../../../src/upload.ts'
import { aManifest, anEntry, anUpload } from '../../support/upload-samples.ts'

const CHUNK_SIZE = 4
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

type Call = 'find' | 'read' | 'piece' | 'keep'

/** Uploads in memory. Every call passes `before`, which may delay it or fail it. */
class FakeSource implements DigestSource {
  readonly kept: [id: string, sha256: string][] = []
  readonly errors: [error: unknown, where: string][] = []
  readonly reads: [id: string, start: number, end: number][] = []
  reading = 0
  mostReading = 0
  finds = 0
  before: (call: Call, id: string) => Promise<void> | void = () => {}
  onReported: () => void = () => {}
  readonly #uploads = new Map<string, Upload>()
  readonly #bytes = new Map<string, Buffer>()

  /** An upload of these bytes, of which no chunk is durable yet. */
  begin(id: string, bytes: Buffer): void {
    this.#bytes.set(id, bytes)
    const manifest = aManifest({ id, chunkSize: CHUNK_SIZE, size: bytes.length })
    this.#uploads.set(id, anUpload({ manifest, ledger: new Ledger() }))
  }

  change(id: string, parts: Partial<Upload>): void {
    this.#uploads.set(id, { ...this.upload(id), ...parts })
  }

  upload(id: string): Upload {
    const upload = this.#uploads.get(id)
    if (upload === undefined) throw new Error(`no upload ${id}`)
    return upload
  }

  /** These chunks become durable. */
  add(id: string, ...numbers: number[]): void {
    const upload = this.upload(id)
    for (const number of numbers) upload.ledger.add(anEntry(number, { size: chunkLength(gridOf(upload), number) }))
  }

  /** The bytes of a chunk. */
  chunk(id: string, number: number): Buffer {
    return (this.#bytes.get(id) ?? Buffer.alloc(0)).subarray(number * CHUNK_SIZE, (number + 1) * CHUNK_SIZE)
  }

  /** A chunk as it is recorded. */
  entry(id: string, number: number): ChunkEntry {
    const entry = this.upload(id).ledger.chunks.get(number)
    if (entry === undefined) throw new Error(`chunk ${number} is not durable`)
    return entry
  }

  /** A chunk was lost, and has come again with other bytes. */
  replace(id: string, number: number, text: string): void {
    const bytes = Buffer.from(this.#bytes.get(id) ?? '')
    bytes.write(text, number * CHUNK_SIZE)
    this.#bytes.set(id, bytes)
    const chunks = [...this.upload(id).ledger.chunks.values()]
    const others = chunks.map((one) => (one.number === number ? { ...one, sha256: `of ${text}` } : one))
    this.change(id, { ledger: Ledger.of(others) })
  }

  /** What was read of an upload, in order. */
  readsOf(id: string): [start: number, end: number][] {
    return this.reads.filter((read) => read[0] === id).map(([, start, end]) => [start, end])
  }

  sha256(id: string): string {
    return createHash('sha256')
      .update(this.#bytes.get(id) ?? '')
      .digest('hex')
  }

  async find(id: string): Promise<StoredUpload | null> {
    this.finds += 1
    const upload = this.#uploads.get(id)
    // As it is now: a state that lives elsewhere sends a copy, which takes its time.
    const snapshot = upload === undefined ? null : { ...upload, ledger: upload.ledger.copy() }
    await this.before('find', id)
    return snapshot
  }

  async *read({ manifest: { id }, ledger }: StoredUpload, start: number, end: number): AsyncIterable<Buffer> {
    this.reads.push([id, start, end])
    this.reading += 1
    this.mostReading = Math.max(this.mostReading, this.reading)
    try {
      await this.before('read', id)
      const last = Math.ceil(end / CHUNK_SIZE)
      for (let n = Math.floor(start / CHUNK_SIZE); n < last; n += 1) {
        if (!ledger.chunks.has(n)) throw new Error(`chunk ${n} is not durable`)
      }
      for (let at = start; at < end; at += 3) {
        yield this.#bytes.get(id)?.subarray(at, Math.min(end, at + 3)) ?? Buffer.alloc(0)
        await this.before('piece', id)
      }
    } finally {
      this.reading -= 1
    }
  }

  async keep(id: string, sha256: string): Promise<void> {
    await this.before('keep', id)
    this.kept.push([id, sha256])
    this.change(id, { digest: sha256 })
  }

  onError(error: unknown, where: string): void {
    this.errors.push([error, where])
    this.onReported()
  }
}

function makeDigests(files: Readonly<Record<string, string>> = { a: 'abcdefghij' }) {
  const source = new FakeSource()
  for (const [id, text] of Object.entries(files)) source.begin(id, Buffer.from(text))
  return { source, digests: new Digests(source) }
}

/** Holds calls up until they are let go, one by one or all. */
function gate(source: FakeSource, held: (call: Call, id: string) => boolean) {
  const waiting: { readonly id: string; readonly go: () => void }[] = []
  let closed = true
  let onArrival = (): void => {}
  source.before = (call, id) => {
    if (!closed || !held(call, id)) return undefined
    return new Promise((resolve) => {
      waiting.push({ id, go: resolve })
      onArrival()
    })
  }
  return {
    ids: () => waiting.map(({ id }) => id),
    arrived: async (count: number): Promise<void> => {
      while (waiting.length < count) await new Promise<void>((resolve) => (onArrival = resolve))
    },
    letOne: () => waiting.shift()?.go(),
    open: () => {
      closed = false
      for (const { go } of waiting.splice(0)) go()
    },
  }
}

/** Fails the nth call of this kind, from 0. */
function failAt(source: FakeSource, failing: Call, nth: number): Error {
  const error = new Error('the disk hiccups')
  let seen = 0
  source.before = (call) => {
    if (call !== failing) return
    seen += 1
    if (seen === nth + 1) throw error
  }
  return error
}

/** Asks as a completion does: more than once, as a follower may be about to end when it is asked. */
async function followToTheEnd(digests: Digests, source: FakeSource, id: string): Promise<void> {
  for (let attempt = 0; attempt < 3 && source.upload(id).digest === null; attempt += 1) await digests.follow(id)
}

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
