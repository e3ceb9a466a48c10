import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Holds } from '../../../src/body/holds.ts'
import { MemoryBudget } from '../../../src/body/memory-budget.ts'
import { Bodies } from '../../../src/body/bodies.ts'
import { UploadError } from '../../../src/errors.ts'

const NO_HOLDS = new Holds({ memory: 0, spool: 0, spoolDirectory: '/nowhere' })
const IDLE_MS = 60_000
const DRAINING = expect.objectContaining({ code: 'DRAINING' })
const text = (buffers: Buffer[] | null): string | null => (buffers === null ? null : Buffer.concat(buffers).toString())
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A promise, and whether it has settled. */
function watched(promise: Promise<unknown>) {
  const watch = { settled: false, promise: promise.finally(() => (watch.settled = true)) }
  return watch
}

/** Work that ends when it is told to. */
function openEnded() {
  let finish = (): void => {}
  let fail = (_error: Error): void => {}
  const promise = new Promise<string>((resolve, reject) => {
    finish = () => resolve('done')
    fail = reject
  })
  return { work: () => promise, finish, fail }
}

describe('the bodies under way', () => {
  it('are counted until they are closed', () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const one = bodies.open(new PassThrough(), undefined)
    const other = bodies.open(new PassThrough(), undefined)
    expect(bodies.size).toBe(2)
    one.close()
    one.close()
    expect(bodies.size).toBe(1)
    other.close()
    expect(bodies.size).toBe(0)
  })

  it('are stopped by a drain, which keeps what they have received and waits until they are closed', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const stream = new PassThrough()
    const body = bodies.open(stream, undefined)
    stream.write('abcdef')
    expect(text(await body.reader.next(4))).toBe('abcd')
    expect(body.draining()).toBe(false)
    bodies.drain()
    const drain = watched(bodies.settled())
    expect(bodies.draining).toBe(true)
    expect(body.draining()).toBe(true)
    expect(body.gone.aborted).toBe(true)
    expect(text(await body.reader.next(4))).toBe('ef')
    expect(await body.reader.next(4)).toBeNull()
    expect(body.reader.end).toBe('stopped')
    await turn()
    expect(drain.settled).toBe(false)
    body.close()
    await drain.promise
  })

  it('are all waited for, and work without a body too', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const one = bodies.open(new PassThrough(), undefined)
    const other = bodies.open(new PassThrough(), undefined)
    const job = openEnded()
    const running = bodies.run(job.work)
    bodies.drain()
    const drain = watched(bodies.settled())
    one.close()
    job.finish()
    expect(await running).toBe('done')
    await turn()
    expect(drain.settled).toBe(false)
    other.close()
    await drain.promise
  })

  it('do not hold a drain up with work that has failed, which its caller hears of', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const job = openEnded()
    const running = bodies.run(job.work)
    bodies.drain()
    const drain = watched(bodies.settled())
    await turn()
    expect(drain.settled).toBe(false)
    job.fail(new UploadError('STORAGE_FULL'))
    await expect(running).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    await drain.promise
  })

  it('are refused with DRAINING once a drain has begun, work too, and it is not begun', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    bodies.drain()
    const stream = new PassThrough()
    expect(() => bodies.open(stream, undefined)).toThrow(DRAINING)
    expect(stream.listenerCount('data')).toBe(0)
    let begun = false
    const refused = bodies.run(async () => {
      begun = true
    })
    await expect(refused).rejects.toThrow(DRAINING)
    expect(begun).toBe(false)
    expect(bodies.size).toBe(0)
  })

  it('let what was begun before a drain go on with more work, and the drain waits for it', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const body = bodies.open(new PassThrough(), undefined)
    bodies.drain()
    const drain = watched(bodies.settled())
    const job = openEnded()
    const running = bodies.runAnyway(job.work)
    body.close()
    await turn()
    expect(drain.settled).toBe(false)
    job.finish()
    expect(await running).toBe('done')
    await drain.promise
  })

  it('are settled where nothing is under way, drained or not, and may be drained again', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    await bodies.settled()
    bodies.drain()
    bodies.drain()
    await bodies.settled()
  })

  it('are settled for everybody who asks, and not before what is begun in the moment the last work ends', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const body = bodies.open(new PassThrough(), undefined)
    const waits = [watched(bodies.settled()), watched(bodies.settled())]
    const job = openEnded()
    body.close()
    const running = bodies.runAnyway(job.work)
    await turn()
    expect(waits.map(({ settled }) => settled)).toEqual([false, false])
    job.finish()
    await running
    await Promise.all(waits.map(({ promise }) => promise))
  })
})

describe('the client of a body', () => {
  it('has not gone when its stream closes after its good end', async () => {
    const body = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS).open(
      new PassThrough().end('abc'),
      undefined,
    )
    expect(text(await body.reader.next(10))).toBe('abc')
    expect(await body.reader.next(10)).toBeNull()
    expect(body.reader.end).toBe('complete')
    await turn()
    expect(body.gone.aborted).toBe(false)
  })

  it('has not gone when a stream that was taken in with its good end behind it closes', async () => {
    const stream = new PassThrough({ autoDestroy: false }).end()
    stream.resume()
    await once(stream, 'end')
    const body = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS).open(stream, undefined)
    stream.destroy()
    await once(stream, 'close')
    expect(body.gone.aborted).toBe(false)
    expect(await body.reader.next(10)).toBeNull()
    expect(body.reader.end).toBe('complete')
  })

  it('has gone when its stream closes before its end', async () => {
    const stream = new PassThrough()
    const body = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS).open(stream, undefined)
    stream.write('abc')
    expect(body.gone.aborted).toBe(false)
    stream.destroy()
    await once(stream, 'close')
    expect(body.gone.aborted).toBe(true)
  })

  it('has gone when its stream was closed before it was taken in', async () => {
    const stream = new PassThrough()
    stream.destroy()
    await once(stream, 'close')
    const body = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS).open(stream, undefined)
    expect(body.gone.aborted).toBe(true)
  })

  it('has gone when the signal says so, before or after', () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const controller = new AbortController()
    const body = bodies.open(new PassThrough(), controller.signal)
    expect(body.gone.aborted).toBe(false)
    controller.abort()
    expect(body.gone.aborted).toBe(true)
    expect(bodies.open(new PassThrough(), controller.signal).gone.aborted).toBe(true)
  })

  it('is not waited for when this side stops the body, which is no drain', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const body = bodies.open(new PassThrough(), undefined)
    const pending = body.reader.next(10)
    body.stop()
    expect(await pending).toBeNull()
    expect(body.reader.end).toBe('stopped')
    expect(body.gone.aborted).toBe(true)
    expect(body.draining()).toBe(false)
  })
})

describe('a body that is closed', () => {
  it('hears no more of its stream and its signal, and survives an error of the stream', async () => {
    const bodies = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS)
    const controller = new AbortController()
    const stream = new PassThrough()
    const events = ['data', 'end', 'close']
    const before = events.map((event) => stream.listenerCount(event))
    const body = bodies.open(stream, controller.signal)
    stream.write('a')
    expect(text(await body.reader.next(1))).toBe('a')
    body.close()
    expect(events.map((event) => stream.listenerCount(event))).toEqual(before)
    controller.abort()
    stream.destroy(new Error('reset'))
    await new Promise((resolve) => stream.once('close', resolve))
    expect(body.gone.aborted).toBe(false)
  })

  it('lets the rest of its stream flow away, so that its client can read the answer', async () => {
    const stream = new PassThrough()
    const body = new Bodies({ idleTimeoutMs: IDLE_MS }, new MemoryBudget(2 ** 28), NO_HOLDS).open(stream, undefined)
    stream.write('abc')
    expect(text(await body.reader.next(1))).toBe('a')
    body.close()
    stream.end(Buffer.alloc(4 * 1024 * 1024))
    await once(stream, 'end')
  })
})
