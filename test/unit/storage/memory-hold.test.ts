import { describe, expect, it } from 'vitest'
import { MemoryHold } from '../../../src/storage/memory-hold.ts'
import { gather, testBytes } from '../../support/storage-suite.ts'

describe('MemoryHold', () => {
  it('gives back what it was given, in order, as often as it is asked', async () => {
    const hold = new MemoryHold()
    const bytes = testBytes(300_000)
    const cuts = [0, 1, 2, 5000, 5001, 70_000, 70_100, 140_000, 140_001, 300_000]
    for (const [index, to] of cuts.slice(1).entries()) {
      await hold.append([bytes.subarray(cuts[index], to), Buffer.alloc(0)])
      if (index === 3) expect(await gather(hold.read())).toEqual(bytes.subarray(0, to))
    }
    expect(hold.size).toBe(bytes.length)
    expect((await gather(hold.read())).equals(bytes)).toBe(true)
    expect((await gather(hold.read())).equals(bytes)).toBe(true)
  })

  it('hands on large buffers without copying them, and gathers small ones', async () => {
    const hold = new MemoryHold()
    const large = testBytes(10_000)
    await hold.append([large])
    for (const byte of testBytes(100_000, 2)) await hold.append([Buffer.of(byte)])
    const pieces: Buffer[] = []
    for await (const piece of hold.read()) pieces.push(piece)
    expect(pieces[0]).toBe(large)
    expect(pieces).toHaveLength(3)
  })

  it('is empty once it is dropped, and takes nothing more', async () => {
    const hold = new MemoryHold()
    await hold.append([Buffer.alloc(5000), Buffer.of(1)])
    await hold.drop()
    await hold.drop()
    expect(hold.size).toBe(0)
    await expect(gather(hold.read())).rejects.toThrow('dropped')
    await expect(hold.append([Buffer.of(1)])).rejects.toThrow('dropped')
  })
})
