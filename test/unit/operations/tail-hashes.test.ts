import { createHash, type Hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Ledger, type Tail } from '../../../src/ledger.ts'
import { hashOf, TailHashes } from '../../../src/operations/tail-hashes.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import type { Upload } from '../../../src/upload.ts'
import { aManifest, anEntry, anUpload } from '../../support/upload-samples.ts'

const CHUNK_SIZE = 4
const bytes = Buffer.from('abcdefgh')
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hashed = (text: string): Hash => createHash('sha256').update(text)
const tailOf = (number: number, text: string): Tail => ({ number, size: text.length, sha256: sha256(text) })

/** An upload whose second chunk has begun with "ef". */
function begun(tail: Tail | null = tailOf(1, 'ef'), id = 'a'): Upload {
  return anUpload({ manifest: aManifest({ id, chunkSize: CHUNK_SIZE }), ledger: Ledger.of([anEntry(0)], tail) })
}

/** Storage that can be read, and tells what was. */
function readable() {
  const reads: [start: number, end: number][] = []
  async function* read(_upload: unknown, start: number, end: number): AsyncIterable<Buffer> {
    reads.push([start, end])
    for (let at = start; at < end; at += 1) yield bytes.subarray(at, at + 1)
  }
  return { reads, storage: { read } as unknown as Storage }
}

describe('the hashes of tails', () => {
  it('begin anew at the start of a chunk, without a look at storage', async () => {
    const { storage, reads } = readable()
    const hash = await new TailHashes().resume(storage, begun(), 1, 0)
    expect(hash.digest('hex')).toBe(sha256(''))
    expect(reads).toEqual([])
  })

  it('are remembered, and may be gone on from more than once', async () => {
    const { storage, reads } = readable()
    const hashes = new TailHashes()
    hashes.keep('a', tailOf(1, 'ef'), hashed('ef'))
    for (let i = 0; i < 2; i += 1) {
      const hash = await hashes.resume(storage, begun(), 1, 2)
      expect(hash.update('gh').digest('hex')).toBe(sha256('efgh'))
    }
    expect(reads).toEqual([])
  })

  it('are read back where nothing is remembered: the bytes of the chunk, and no others', async () => {
    const { storage, reads } = readable()
    const hash = await new TailHashes().resume(storage, begun(), 1, 2)
    expect(hash.digest('hex')).toBe(sha256('ef'))
    expect(reads).toEqual([[CHUNK_SIZE, CHUNK_SIZE + 2]])
  })

  it.each([
    ['another upload', 'b', tailOf(1, 'ef')],
    ['another chunk', 'a', tailOf(0, 'ef')],
    ['another length', 'a', tailOf(1, 'e')],
    ['other bytes, which another node has written', 'a', tailOf(1, 'xy')],
  ])('are read back where what is remembered is of %s', async (_what, id, tail) => {
    const { storage, reads } = readable()
    const hashes = new TailHashes()
    hashes.keep(id, tail, hashed('wrong'))
    const hash = await hashes.resume(storage, begun(), 1, 2)
    expect(hash.digest('hex')).toBe(sha256('ef'))
    expect(reads).toHaveLength(1)
  })

  it('are read back for another length also where the chunk is full, and has no tail to tell', async () => {
    const { storage, reads } = readable()
    const hashes = new TailHashes()
    hashes.keep('a', tailOf(1, 'e'), hashed('e'))
    const full = anUpload({
      manifest: aManifest({ id: 'a', chunkSize: CHUNK_SIZE }),
      ledger: Ledger.of([anEntry(0), anEntry(1)]),
    })
    expect((await hashes.resume(storage, full, 1, 2)).digest('hex')).toBe(sha256('ef'))
    expect(reads).toHaveLength(1)
    expect((await hashes.resume(storage, full, 1, 1)).digest('hex')).toBe(sha256('e'))
    expect(reads).toHaveLength(1)
  })

  it('stand for the last tail that was kept', async () => {
    const { storage, reads } = readable()
    const hashes = new TailHashes()
    hashes.keep('a', tailOf(1, 'e'), hashed('e'))
    hashes.keep('a', tailOf(1, 'ef'), hashed('ef'))
    expect((await hashes.resume(storage, begun(), 1, 2)).digest('hex')).toBe(sha256('ef'))
    expect(reads).toEqual([])
  })

  it('are read back after they were dropped', async () => {
    const { storage, reads } = readable()
    const hashes = new TailHashes()
    hashes.keep('a', tailOf(1, 'ef'), hashed('ef'))
    hashes.drop('a')
    hashes.drop('never kept')
    expect((await hashes.resume(storage, begun(), 1, 2)).digest('hex')).toBe(sha256('ef'))
    expect(reads).toHaveLength(1)
  })

  it('are bounded: the one kept longest ago is forgotten first', async () => {
    const { storage, reads } = readable()
    const hashes = new TailHashes()
    for (let i = 0; i < 1024; i += 1) hashes.keep(`upload-${i}`, tailOf(1, 'ef'), hashed('ef'))
    hashes.keep('upload-0', tailOf(1, 'ef'), hashed('ef'))
    hashes.keep('one more', tailOf(1, 'ef'), hashed('ef'))
    const remembered = async (id: string): Promise<boolean> => {
      reads.length = 0
      await hashes.resume(storage, begun(tailOf(1, 'ef'), id), 1, 2)
      return reads.length === 0
    }
    expect(await remembered('upload-0')).toBe(true)
    expect(await remembered('upload-1')).toBe(false)
    expect(await remembered('upload-2')).toBe(true)
    expect(await remembered('one more')).toBe(true)
  })

  it('fail as storage fails', async () => {
    const failing = {
      // oxlint-disable-next-line require-yield
      async *read(): AsyncIterable<Buffer> {
        throw new Error('the disk is gone')
      },
    } as unknown as Storage
    await expect(new TailHashes().resume(failing, begun(), 1, 2)).rejects.toThrow('the disk is gone')
  })
})

describe('the hash of bytes that are read', () => {
  it('is SHA-256 over all of them', async () => {
    const { storage } = readable()
    const hash = await hashOf(storage.read(begun(), 1, 7))
    expect(hash.digest('hex')).toBe(sha256('bcdefg'))
  })
})
