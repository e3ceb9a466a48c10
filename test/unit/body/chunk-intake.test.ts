import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkIntake } from '../../../src/body/chunk-intake.ts'
import type { Tail } from '../../../src/ledger.ts'
import type { ChunkWriter } from '../../../src/storage/storage.ts'

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')
const tailOf = (bytes: Uint8Array): Tail => ({ number: 3, size: bytes.length, sha256: sha256(bytes) })

/** Collects what it is given; an intake never ends it. */
class Sink implements ChunkWriter {
  readonly writes: (readonly Buffer[])[] = []

  async write(buffers: readonly Buffer[]): Promise<void> {
    this.writes.push(buffers)
  }

  get bytes(): Buffer {
    return Buffer.concat(this.writes.flat())
  }

  async finish(): Promise<never> {
    throw new Error('an intake does not finish its writer')
  }

  async suspend(): Promise<void> {
    throw new Error('an intake does not suspend its writer')
  }

  async abort(): Promise<void> {
    throw new Error('an intake does not abort its writer')
  }
}

interface Case {
  readonly bytes: Buffer
  /** Durable bytes at the start. */
  readonly durable: number
  /** The bytes, as the buffers of each take. */
  readonly takes: readonly (readonly Buffer[])[]
}

/** A chunk, how much of it is durable, and any splits of it into buffers and takes; empty buffers among them. */
const cases: fc.Arbitrary<Case> = fc.uint8Array({ minLength: 1, maxLength: 60 }).chain((array) => {
  const bytes = Buffer.from(array)
  const cuts = fc.array(fc.record({ at: fc.nat(bytes.length), newTake: fc.boolean() }), { maxLength: 12 })
  return fc.record({
    bytes: fc.constant(bytes),
    durable: fc.nat(bytes.length),
    takes: cuts.map((cuts) => {
      const takes: Buffer[][] = [[]]
      let from = 0
      for (const { at, newTake } of cuts.toSorted((a, b) => a.at - b.at)) {
        takes.at(-1)?.push(bytes.subarray(from, at))
        if (newTake) takes.push([])
        from = at
      }
      takes.at(-1)?.push(bytes.subarray(from))
      return takes
    }),
  })
})

async function takeAll(intake: ChunkIntake, { takes }: Case): Promise<void> {
  for (const buffers of takes) await intake.take(buffers)
}

function intakeOf({ bytes, durable }: Case, tailBytes: Buffer, writer: ChunkWriter | null): ChunkIntake {
  const tail = durable === 0 ? null : tailOf(tailBytes.subarray(0, durable))
  return new ChunkIntake({ length: bytes.length, position: 0, hash: createHash('sha256'), writer, tail })
}

describe('the intake of a chunk', () => {
  it('hashes all bytes, and gives its writer those beyond the tail, whatever the buffers', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (given) => {
        const { bytes, durable } = given
        const sink = new Sink()
        const intake = intakeOf(given, bytes, sink)
        await takeAll(intake, given)
        expect(intake.digest()).toBe(sha256(bytes))
        expect(intake.position).toBe(bytes.length)
        expect(intake.remaining).toBe(0)
        expect(sink.bytes.equals(bytes.subarray(durable))).toBe(true)
      }),
    )
  })

  it('meets a conflict when it reaches the end of a tail of other bytes, and has written none, whatever the buffers', async () => {
    const conflicts = fc.tuple(cases, fc.nat(), fc.integer({ min: 1, max: 255 })).filter(([{ durable }]) => durable > 0)
    await fc.assert(
      fc.asyncProperty(conflicts, async ([given, seed, change]) => {
        const other = Buffer.from(given.bytes)
        const at = seed % given.durable
        other[at] = (other[at] ?? 0) ^ change
        const sink = new Sink()
        const intake = intakeOf(given, other, sink)
        await takeAll(intake, given)
        expect(intake.differs).toBe(true)
        expect(sink.writes).toEqual([])
        expect(intake.position).toBeGreaterThanOrEqual(given.durable)
      }),
    )
  })

  it('takes part of a tail without a word, and writes nothing of it', async () => {
    const sink = new Sink()
    const tail = tailOf(Buffer.from('other'))
    const intake = new ChunkIntake({ length: 8, position: 0, hash: createHash('sha256'), writer: sink, tail })
    await intake.take([Buffer.from('ab'), Buffer.from('cd')])
    expect(intake.position).toBe(4)
    expect(intake.remaining).toBe(4)
    expect(sink.writes).toEqual([])
    expect(intake.differs).toBe(false)
    await intake.take([Buffer.from('efgh')])
    expect(intake.differs).toBe(true)
    expect(sink.writes).toEqual([])
  })

  it('goes on from the middle of a chunk with the hash of what comes before', async () => {
    const sink = new Sink()
    const hash = createHash('sha256').update('abc')
    const intake = new ChunkIntake({ length: 6, position: 3, hash, writer: sink })
    expect(intake.remaining).toBe(3)
    expect(intake.digest()).toBe(sha256('abc'))
    await intake.take([Buffer.from('de')])
    expect(intake.digest()).toBe(sha256('abcde'))
    await intake.take([Buffer.from('f')])
    expect(intake.digest()).toBe(sha256('abcdef'))
    expect(sink.bytes.toString()).toBe('def')
  })

  it('compares only what it has not passed of a tail', async () => {
    const sink = new Sink()
    const hash = createHash('sha256').update('abc')
    const tail = tailOf(Buffer.from('abc'))
    const intake = new ChunkIntake({ length: 6, position: 3, hash, writer: sink, tail })
    await intake.take([Buffer.from('xyz')])
    expect(sink.bytes.toString()).toBe('xyz')
  })

  it('only hashes where the bytes are durable already', async () => {
    const intake = new ChunkIntake({ length: 6, position: 0, hash: createHash('sha256'), writer: null })
    await intake.take([Buffer.from('abc'), Buffer.from('def')])
    expect(intake.digest()).toBe(sha256('abcdef'))
    expect(intake.remaining).toBe(0)
  })

  it('hands its writer the buffers themselves, in one call for each take', async () => {
    const sink = new Sink()
    const intake = new ChunkIntake({
      length: 6,
      position: 0,
      hash: createHash('sha256'),
      writer: sink,
      tail: tailOf(Buffer.from('a')),
    })
    const [one, other] = [Buffer.from('abc'), Buffer.from('def')]
    await intake.take([one, other])
    expect(sink.writes).toHaveLength(1)
    const [rest, whole] = sink.writes[0] ?? []
    expect(rest?.buffer).toBe(one.buffer)
    expect(rest?.toString()).toBe('bc')
    expect(whole).toBe(other)
  })

  it('is as patient as its writer, and fails with it', async () => {
    const sink = new Sink()
    let ready = (): void => {}
    let fail = (_error: Error): void => {}
    sink.write = () =>
      new Promise((resolve, reject) => {
        ready = resolve
        fail = reject
      })
    const intake = new ChunkIntake({ length: 6, position: 0, hash: createHash('sha256'), writer: sink })
    let taken = false
    const take = intake.take([Buffer.from('abc')]).then(() => (taken = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken).toBe(false)
    ready()
    await take
    const failing = intake.take([Buffer.from('def')])
    fail(new Error('no room'))
    await expect(failing).rejects.toThrow('no room')
  })

  it('lends its hash as a copy, to go on from', async () => {
    const intake = new ChunkIntake({ length: 6, position: 0, hash: createHash('sha256'), writer: null })
    await intake.take([Buffer.from('abc')])
    const { hash } = intake
    expect(hash.update('xyz').digest('hex')).toBe(sha256('abcxyz'))
    await intake.take([Buffer.from('def')])
    expect(intake.digest()).toBe(sha256('abcdef'))
    expect(intake.digest()).toBe(sha256('abcdef'))
  })
})
