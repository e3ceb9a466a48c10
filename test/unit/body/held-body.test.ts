import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Bodies } from '../../../src/body/bodies.ts'
import { HeldBody } from '../../../src/body/held-body.ts'
import { Holds } from '../../../src/body/holds.ts'
import { MemoryBudget } from '../../../src/body/memory-budget.ts'
import { MemoryHold } from '../../../src/storage/memory-hold.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** A held body of these buffers, and the body it came of. */
async function held(buffers: readonly Buffer[]) {
  const hold = new MemoryHold()
  await hold.append(buffers)
  const holds = new Holds({ memory: 0, spool: 100, spoolDirectory: await tempDir() })
  const live = new Bodies({ idleTimeoutMs: 1000 }, new MemoryBudget(1000), holds).open(new PassThrough(), undefined)
  return { body: new HeldBody(hold, live), live, holds }
}

async function readAll({ reader }: HeldBody, limits: readonly number[]): Promise<Buffer[]> {
  const read: Buffer[] = []
  for (let n = 0; ; n += 1) {
    const limit = limits[n % limits.length] ?? 1
    const buffers = await reader.next(limit)
    if (buffers === null) return read
    const bytes = Buffer.concat(buffers)
    expect(bytes.length).toBeGreaterThan(0)
    expect(bytes.length).toBeLessThanOrEqual(limit)
    read.push(bytes)
  }
}

const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 6000 }), { maxLength: 8 })

it('gives out what is held, in order, and no more at a time than is asked for', async () => {
  const limits = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(pieces, limits, async (bytes, most) => {
      const { body } = await held(bytes.map((piece) => Buffer.from(piece)))
      expect(Buffer.concat(await readAll(body, most))).toEqual(Buffer.concat(bytes))
      expect(body.reader.end).toBe('complete')
    }),
  )
})

it('lends its bytes to chunks, which take no room for them', async () => {
  const stretch = fc.tuple(fc.nat(20_000), fc.nat(20_000))
  await fc.assert(
    fc.asyncProperty(pieces, stretch, stretch, async (bytes, [a, b], [c, d]) => {
      const { body, holds } = await held(bytes.map((piece) => Buffer.from(piece)))
      const all = Buffer.concat(bytes)
      const [from, to] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)]
      const chunk = await body.hold(to - from, from)
      await chunk.append([all.subarray(from, to)])
      expect([chunk.size, holds.reserved]).toEqual([to - from, { memory: 0, files: 0 }])
      const [start, end] = [Math.min(c, d, chunk.size), Math.min(Math.max(c, d), chunk.size)]
      for (const range of [[], [start, end]] as const) {
        const read: Buffer[] = []
        for await (const piece of chunk.read(...range)) read.push(piece)
        expect(Buffer.concat(read)).toEqual(all.subarray(from, to).subarray(...range))
      }
      await chunk.drop()
      expect(Buffer.concat(await readAll(body, [5000]))).toEqual(all)
    }),
  )
})

it('goes on to its end when it is asked to let go, or the server shuts down, and ends where it is stopped', async () => {
  const { body, live } = await held([Buffer.alloc(5000, 1), Buffer.alloc(5000, 2)])
  body.letGo()
  live.stop()
  expect(body.gone.aborted).toBe(false)
  expect(await body.reader.next(10)).toEqual([Buffer.alloc(10, 1)])
  body.stop()
  expect([await body.reader.next(10), body.reader.end, body.gone.aborted]).toEqual([null, 'stopped', true])
})

it('lets others have their turn while it is read', async () => {
  const { body } = await held(Array.from({ length: 64 }, () => Buffer.alloc(64 * 1024)))
  let turns = 0
  const count = (): void => {
    turns += 1
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  await readAll(body, [Infinity])
  clearImmediate(timer)
  expect(turns).toBeGreaterThanOrEqual(3)
})
