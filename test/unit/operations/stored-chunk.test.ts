import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { type ChunkEntry, Ledger, type Tail } from '../../../src/ledger.ts'
import { agrees, type StoredBytes, tailOf } from '../../../src/operations/stored-chunk.ts'
import { MemoryHold } from '../../../src/storage/memory-hold.ts'
import { sha256, testBytes } from '../../support/storage-suite.ts'
import { anUpload } from '../../support/upload-samples.ts'

const bytes = testBytes(1000)
const others = testBytes(1000, 7)
const tail = (content: Buffer, size: number, number = 0): Tail => ({
  number,
  size,
  sha256: sha256(content.subarray(0, size)),
})
const entry = (content: Buffer): ChunkEntry => ({ number: 0, size: 1000, sha256: sha256(content), at: 1 })

/** The chunk of `bytes`, stored after `from` of them had been a tail. */
async function stored(from: number): Promise<StoredBytes> {
  const hold = new MemoryHold()
  for (let at = from; at < 1000; at += 90) await hold.append([bytes.subarray(at, Math.min(1000, at + 90))])
  const begun = createHash('sha256').update(bytes.subarray(0, from))
  return { entry: entry(bytes), follows: from === 0 ? null : tail(bytes, from), begun, hold }
}

/** Whether it agrees with a ledger, and what was defended against it. */
async function verdict(ledger: Ledger, from: number) {
  const defended: (ChunkEntry | Tail)[] = []
  const storage = { defend: async (_: unknown, recorded: ChunkEntry | Tail) => void defended.push(recorded) }
  return { same: await agrees({ storage }, anUpload({ ledger }), await stored(from)), defended }
}

const AGREES = { same: true, defended: [] }

it.each([0, 1, 300])('a chunk stored after %i bytes agrees with a tail that it begins with', async (from) => {
  for (const size of [1, 300, 301, 450, 999].filter((size) => size >= from)) {
    expect(await verdict(Ledger.of([], tail(bytes, size)), from)).toEqual(AGREES)
    const other = tail(others, size)
    expect(await verdict(Ledger.of([], other), from)).toEqual({ same: false, defended: [other] })
  }
})

it('a chunk agrees with the same chunk, with none, and with the tail of another', async () => {
  expect(await verdict(Ledger.of([entry(bytes)]), 0)).toEqual(AGREES)
  expect(await verdict(new Ledger(), 300)).toEqual(AGREES)
  const next = Ledger.of([entry(bytes)], tail(others, 5, 1))
  expect(await verdict(next, 0)).toEqual(AGREES)
  expect([tailOf(anUpload({ ledger: next }), 0), tailOf(anUpload({ ledger: next }), 1)]).toEqual([
    null,
    tail(others, 5, 1),
  ])
})

it('a chunk that stands is defended against other bytes', async () => {
  expect(await verdict(Ledger.of([entry(others)]), 0)).toEqual({ same: false, defended: [entry(others)] })
})
