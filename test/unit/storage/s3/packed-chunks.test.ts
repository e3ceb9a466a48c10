import { describe, expect, it } from 'vitest'
import { Ledger } from '../../../../src/ledger.ts'
import { packChunks, unpackChunks } from '../../../../src/storage/s3/packed-chunks.ts'
import { compositeOf, toBase64, toHex } from '../../../../src/storage/s3/sha256.ts'
import { sha256 } from '../../../support/storage-suite.ts'

const grid = { chunkSize: 100, size: 250 }
const entries = [100, 100, 50].map((size, number) => ({
  number,
  size,
  sha256: sha256(Buffer.of(number)),
  at: 7 + number,
}))

describe('packed chunks', () => {
  it('are the chunks again when they are unpacked, in whatever order they came', () => {
    const packed: unknown = JSON.parse(JSON.stringify(packChunks(Ledger.of(entries.toReversed()))))
    expect(unpackChunks(packed, grid)).toEqual(entries)
  })

  it('are not unpacked for a grid that is not theirs', () => {
    const packed = packChunks(Ledger.of(entries))
    expect(unpackChunks(packed, { chunkSize: 100, size: 350 })).toBeNull()
    expect(unpackChunks(packed, { chunkSize: 100, size: null })).toBeNull()
    for (const value of [null, {}, { sha256: '', at: [] }, { ...packed, at: [1, 2, 'x'] }, { ...packed, at: [1] }]) {
      expect(unpackChunks(value, grid)).toBeNull()
    }
  })
})

describe('digests', () => {
  it('are written as S3 writes them, and read', () => {
    const hex = sha256(Buffer.from('hello'))
    expect(toBase64(hex)).toBe('LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=')
    expect(toHex(toBase64(hex))).toBe(hex)
    for (const other of [undefined, '', 'abc=', `${toBase64(hex)}-3`]) expect(toHex(other)).toBeNull()
  })

  it('of parts make the one that S3 gives the object', () => {
    // What Ceph answered for an object of three parts.
    const part = sha256(Buffer.alloc(5 << 20, 7))
    expect(compositeOf([part, part, sha256(Buffer.from('last'))])).toBe(
      'c/htKi3LlrXKPzHduSMtBsNtcC/lqD1coWb29tSxZHA=-3',
    )
  })
})
