import { readdir } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Holds } from '../../../src/body/holds.ts'
import { MemoryHold } from '../../../src/storage/memory-hold.ts'
import type { Hold } from '../../../src/storage/storage.ts'
import { tempDir } from '../../support/temp-dir.ts'

const here = new AbortController().signal

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('room for what is held', () => {
  it('is in memory first, then in files, then waited for in turn', async () => {
    const directory = await tempDir()
    const holds = new Holds({ memory: 100, spool: 150, spoolDirectory: directory })
    const first = await holds.take(100, here)
    const second = await holds.take(100, here)
    expect(first).toBeInstanceOf(MemoryHold)
    expect(second).not.toBeInstanceOf(MemoryHold)
    const order: string[] = []
    const waits = [60, 10].map((bytes, at) => holds.take(bytes, here).then((hold) => (order.push(`${at}`), hold)))
    await settle()
    // The second would fit, and does not overtake.
    expect([order, holds.waiting]).toEqual([[], 2])
    await first.drop()
    await Promise.all(waits)
    expect(order).toEqual(['0', '1'])
    expect(holds.reserved).toEqual({ memory: 70, files: 100 })
    await second.drop()
    await Promise.all((await Promise.all(waits)).map((hold) => hold.drop()))
    expect(holds.reserved).toEqual({ memory: 0, files: 0 })
  })

  it('is given back once, however often it is dropped', async () => {
    const holds = new Holds({ memory: 100, spool: 100, spoolDirectory: await tempDir() })
    for (const hold of [await holds.take(100, here), await holds.take(100, here)]) {
      await Promise.all([hold.drop(), hold.drop()])
      await hold.drop()
    }
    expect(holds.reserved).toEqual({ memory: 0, files: 0 })
  })

  it('forgets who goes while it waits, and lets those behind in', async () => {
    const holds = new Holds({ memory: 100, spool: 0, spoolDirectory: '/nowhere' })
    const leaves = new AbortController()
    const held = await holds.take(50, here)
    const large = holds.take(100, leaves.signal)
    const small = holds.take(50, here)
    leaves.abort()
    await expect(large).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
    await (await small).drop()
    await held.drop()
    await expect(holds.take(100, leaves.signal)).resolves.toBeInstanceOf(MemoryHold)
    await expect(holds.take(1, leaves.signal)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
  })

  it('is not kept from small ones by a large one that could only be in a file', async () => {
    const holds = new Holds({ memory: 100, spool: 1000, spoolDirectory: await tempDir() })
    const large = await holds.take(900, here)
    const waiting = holds.take(900, here)
    await settle()
    const small = await Promise.all([holds.take(50, here), holds.take(50, here)])
    for (const hold of small) expect(hold).toBeInstanceOf(MemoryHold)
    // In a file it would come before its turn.
    const next = holds.take(60, here)
    await settle()
    expect(holds.reserved).toEqual({ memory: 100, files: 900 })
    await large.drop()
    await (await waiting).drop()
    for (const hold of small) await hold.drop()
    await (await next).drop()
    expect(holds.reserved).toEqual({ memory: 0, files: 0 })
  })

  it('is in memory that another lends while it can, and then in files', async () => {
    const lent: number[] = []
    const lender = {
      lend: (bytes: number) => lent.length === 0 && lent.push(bytes) > 0,
      giveBack: (bytes: number) => void lent.splice(lent.indexOf(bytes), 1),
    }
    const holds = new Holds({ memory: 100, spool: 100, spoolDirectory: await tempDir(), lender })
    // Memory that is only lent may never be had.
    expect(holds.largest).toBe(100)
    const [first, second] = [await holds.take(30, here), await holds.take(40, here)]
    expect([lent, holds.reserved]).toEqual([[30], { memory: 30, files: 40 }])
    expect(holds.takeNow(70)).toBeNull()
    await first.drop()
    await first.drop()
    expect([lent, holds.reserved]).toEqual([[], { memory: 0, files: 40 }])
    await second.drop()
    expect(holds.reserved).toEqual({ memory: 0, files: 0 })
  })

  it('is in a file for who is not to be in memory, unless no file could hold it', async () => {
    const holds = new Holds({ memory: 100, spool: 50, spoolDirectory: await tempDir() })
    const small = await holds.take(40, here, false)
    expect(holds.reserved).toEqual({ memory: 0, files: 40 })
    const waiting = holds.take(30, here, false)
    await settle()
    expect(holds.waiting).toBe(1)
    // One that waits for files keeps nobody out of memory.
    const large = await holds.take(60, here, false)
    expect(holds.reserved).toEqual({ memory: 60, files: 40 })
    await small.drop()
    await (await waiting).drop()
    await large.drop()
    expect(holds.reserved).toEqual({ memory: 0, files: 0 })
  })

  it('is refused at once where there never could be enough', async () => {
    const holds = new Holds({ memory: 100, spool: 200, spoolDirectory: '/nowhere' })
    expect(holds.largest).toBe(200)
    await expect(holds.take(201, here)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  })

  it('is never more than there is, whoever comes and goes', async () => {
    const directory = await tempDir()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(null)), { maxLength: 60 }),
        async (story) => {
          const holds = new Holds({ memory: 100, spool: 60, spoolDirectory: directory })
          const held: Hold[] = []
          for (const bytes of story) {
            if (bytes === null) await held.shift()?.drop()
            else void holds.take(bytes, here).then((hold) => held.push(hold))
            await settle()
            expect(holds.reserved.memory).toBeLessThanOrEqual(100)
            expect(holds.reserved.files).toBeLessThanOrEqual(60)
          }
          // Whoever waits comes in when the others have gone.
          while (held.length > 0 || holds.waiting > 0) {
            await held.shift()?.drop()
            await settle()
          }
          expect(holds.reserved).toEqual({ memory: 0, files: 0 })
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe.each(['memory', 'files'] as const)('a hold in %s', (where) => {
  async function open() {
    const directory = await tempDir()
    const spool = where === 'files' ? 1_000_000 : 0
    const holds = new Holds({ memory: 1_000_000 - spool, spool, spoolDirectory: directory })
    return { directory, holds, hold: await holds.take(1_000_000, here) }
  }

  it('gives back what was put into it, as often as it is asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 4 }), { maxLength: 8 }),
        async (appends) => {
          const { hold } = await open()
          const all: Buffer[] = []
          for (const sizes of appends) {
            const buffers = sizes.map((size, at) => Buffer.alloc(size, all.length + at + 1))
            await hold.append(buffers)
            all.push(...buffers)
          }
          const expected = Buffer.concat(all)
          expect(hold.size).toBe(expected.length)
          for (let time = 0; time < 2; time += 1) {
            const pieces: Buffer[] = []
            for await (const piece of hold.read()) pieces.push(piece)
            expect(Buffer.concat(pieces).equals(expected)).toBe(true)
          }
          const [start, end] = [Math.floor(expected.length / 3), Math.floor(expected.length / 2)]
          const part: Buffer[] = []
          for await (const piece of hold.read(start, end)) part.push(piece)
          expect(Buffer.concat(part).equals(expected.subarray(start, end))).toBe(true)
          await hold.drop()
        },
      ),
      { numRuns: 25 },
    )
  })

  it('holds what a sender trickles in few buffers', async () => {
    const { hold } = await open()
    for (let at = 0; at < 20_000; at += 1) await hold.append([Buffer.from([at])])
    let pieces = 0
    for await (const piece of hold.read()) pieces += piece.length > 0 ? 1 : 0
    expect(hold.size).toBe(20_000)
    expect(pieces).toBe(1)
    await hold.drop()
  })

  it('leaves no name in any folder', async () => {
    const { directory, hold } = await open()
    await hold.append([Buffer.alloc(100_000)])
    expect(await readdir(directory)).toEqual([])
    await hold.drop()
    expect(await readdir(directory)).toEqual([])
  })

  it('takes and gives nothing once it was dropped', async () => {
    const { hold } = await open()
    await hold.append([Buffer.alloc(10)])
    await hold.drop()
    await expect(hold.append([Buffer.alloc(10)])).rejects.toThrow()
    await expect(async () => {
      for await (const _ of hold.read());
    }).rejects.toThrow()
  })
})

it('says that storage is not to be had where there is no folder for files', async () => {
  const holds = new Holds({ memory: 0, spool: 100, spoolDirectory: '/nowhere/at/all' })
  const hold = await holds.take(100, here)
  await expect(hold.append([Buffer.alloc(1)])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  await hold.drop()
  expect(holds.reserved).toEqual({ memory: 0, files: 0 })
})
