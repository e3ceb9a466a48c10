import fc from 'fast-check'
import { expect, it } from 'vitest'
import { GrowingHold } from '../../../src/body/growing-hold.ts'
import { Holds } from '../../../src/body/holds.ts'
import { tempDir } from '../../support/temp-dir.ts'

const MIB = 1024 * 1024
const here = new AbortController().signal

async function bytesOf(hold: GrowingHold, ...range: readonly [number, number] | readonly []): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of hold.read(...range)) pieces.push(piece)
  return Buffer.concat(pieces)
}

it('reserves as it grows, at most twice what it holds, from memory into files', async () => {
  const holds = new Holds({ memory: 13 * MIB, spool: 100 * MIB, spoolDirectory: await tempDir() })
  const hold = await GrowingHold.begin(holds, here)
  const all: Buffer[] = []
  for (let n = 0; n < 40; n += 1) {
    const buffer = Buffer.alloc(300_000, n)
    all.push(buffer)
    await hold.append([buffer.subarray(0, 100_001), buffer.subarray(100_001)])
    const { memory, files } = holds.reserved
    expect(memory + files).toBeGreaterThanOrEqual(hold.size)
    expect(memory + files).toBeLessThanOrEqual(Math.max(MIB, 2 * hold.size))
  }
  // Of its share, a quarter, as much as whole pieces fill.
  expect(holds.reserved.memory).toBe(2 * MIB)
  expect(holds.reserved.files).toBeGreaterThan(0)
  const whole = Buffer.concat(all)
  expect((await bytesOf(hold)).equals(whole)).toBe(true)
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.nat(whole.length), async (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)]
      expect((await bytesOf(hold, start, end)).equals(whole.subarray(start, end))).toBe(true)
    }),
    { numRuns: 30 },
  )
  await hold.drop()
  await hold.drop()
  expect(holds.reserved).toEqual({ memory: 0, files: 0 })
})

it('waits for its first piece, and for no other: two that grow could wait for each other', async () => {
  const holds = new Holds({ memory: 0, spool: 3 * MIB, spoolDirectory: await tempDir() })
  const [one, other] = [await GrowingHold.begin(holds, here), await GrowingHold.begin(holds, here)]
  await one.append([Buffer.alloc(MIB + 1)])
  const third = GrowingHold.begin(holds, here)
  await expect(other.append([Buffer.alloc(MIB + 1)])).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
  await other.drop()
  await (await third).drop()
  await one.drop()
  expect(holds.reserved).toEqual({ memory: 0, files: 0 })
})

it('has as much as there is, where that is less than a first piece', async () => {
  const holds = new Holds({ memory: 0, spool: 100, spoolDirectory: await tempDir() })
  const hold = await GrowingHold.begin(holds, here)
  await hold.append([Buffer.alloc(100, 7)])
  await expect(hold.append([Buffer.alloc(1)])).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
  expect(await bytesOf(hold)).toEqual(Buffer.alloc(100, 7))
  await hold.drop()
})

it.each([
  ['files', { memory: 0, spool: 7 * MIB + 5 }],
  ['memory, where there are hardly any files', { memory: 7 * MIB + 5, spool: 1000 }],
])('comes to all that one body can have, in %s', async (_where, options) => {
  const holds = new Holds({ ...options, spoolDirectory: await tempDir() })
  const hold = await GrowingHold.begin(holds, here)
  for (let n = 0; n < 7; n += 1) await hold.append([Buffer.alloc(MIB, n)])
  await hold.append([Buffer.alloc(5)])
  expect([hold.size, holds.reserved.memory + holds.reserved.files]).toEqual([holds.largest, holds.largest])
  await hold.drop()
  expect(holds.reserved).toEqual({ memory: 0, files: 0 })
})
