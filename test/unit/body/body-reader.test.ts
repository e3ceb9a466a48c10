import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { BodyReader } from '../../../src/body/body-reader.ts'

afterEach(() => {
  vi.useRealTimers()
})

const bytes = (buffers: Buffer[] | null): string | null => (buffers === null ? null : Buffer.concat(buffers).toString())

describe('a body', () => {
  it('is handed out in order, split at the limit without a copy, and ends with null', async () => {
    const stream = new PassThrough()
    const reader = new BodyReader(stream, 1000, () => 1024 * 1024)
    const whole = Buffer.from('abcdefgh')
    stream.end(whole)
    const first = await reader.next(3)
    expect(bytes(first)).toBe('abc')
    expect(first?.[0]?.buffer).toBe(whole.buffer)
    expect(bytes(await reader.next(100))).toBe('defgh')
    expect(await reader.next(100)).toBeNull()
    expect(reader.end).toBe('complete')
  })

  it('hands out what was received before the client went away', async () => {
    const stream = new PassThrough()
    const reader = new BodyReader(stream, 1000, () => 1024 * 1024)
    stream.write('abc')
    expect(bytes(await reader.next(1))).toBe('a')
    stream.destroy()
    await new Promise((resolve) => stream.once('close', resolve))
    expect(bytes(await reader.next(10))).toBe('bc')
    expect(await reader.next(10)).toBeNull()
    expect(reader.end).toBe('cut')
  })

  it('that came faster than it is read lets others have their turn after each half MiB', async () => {
    const stream = new PassThrough({ highWaterMark: 8 * 1024 * 1024 })
    const reader = new BodyReader(stream, 1000, () => 8 * 1024 * 1024)
    for (let piece = 0; piece < 32; piece += 1) stream.write(Buffer.alloc(64 * 1024))
    const [first] = (await reader.next(1)) ?? []
    expect(first).toHaveLength(1)
    let turns = 0
    const count = (): void => {
      turns += 1
      pending = setImmediate(count)
    }
    let pending = setImmediate(count)
    const inTurn = [0]
    for (let left = 2 * 1024 * 1024 - 1; left > 0; ) {
      const buffers = (await reader.next(Infinity)) ?? []
      const bytes = buffers.reduce((sum, { length }) => sum + length, 0)
      left -= bytes
      inTurn[turns] = (inTurn[turns] ?? 0) + bytes
    }
    clearImmediate(pending)
    expect(turns).toBeGreaterThanOrEqual(3)
    expect(Math.max(...inTurn)).toBeLessThanOrEqual(512 * 1024)
  })

  it('survives an error of the stream, also one after its end', async () => {
    const stream = new PassThrough()
    const reader = new BodyReader(stream, 1000, () => 1024 * 1024)
    const pending = reader.next(10)
    reader.stop()
    stream.destroy(new Error('reset'))
    expect(await pending).toBeNull()
    expect(reader.end).toBe('stopped')
  })

  it('stalls when no byte comes for the idle timeout, and not while its reader is busy', async () => {
    vi.useFakeTimers()
    const stream = new PassThrough()
    const reader = new BodyReader(stream, 1000, () => 1024 * 1024)
    const first = reader.next(10)
    stream.write('a')
    await vi.advanceTimersByTimeAsync(0)
    expect(bytes(await first)).toBe('a')
    await vi.advanceTimersByTimeAsync(5000)
    const second = reader.next(10)
    await vi.advanceTimersByTimeAsync(999)
    expect(reader.end).toBeNull()
    await vi.advanceTimersByTimeAsync(1)
    expect(await second).toBeNull()
    expect(reader.end).toBe('stalled')
  })

  it('holds the sender back when its reader is slow', async () => {
    const stream = new PassThrough()
    const reader = new BodyReader(stream, 1000, () => 1024 * 1024)
    const first = reader.next(1)
    for (let i = 0; i < 64; i += 1) stream.write(Buffer.alloc(64 * 1024))
    await first
    await new Promise((resolve) => setImmediate(resolve))
    expect(stream.isPaused()).toBe(true)
    let received = 1
    for (let next = await reader.next(1 << 20); received < 64 * 64 * 1024; next = await reader.next(1 << 20)) {
      received += next?.reduce((sum, buffer) => sum + buffer.length, 0) ?? 0
      if (received >= 64 * 64 * 1024) break
    }
    expect(received).toBe(64 * 64 * 1024)
  })

  it('is cut when its stream was destroyed before it was read', async () => {
    const stream = new PassThrough()
    stream.destroy()
    const reader = new BodyReader(stream, 1000, () => 1024 * 1024)
    expect(await reader.next(1)).toBeNull()
    expect(reader.end).toBe('cut')
  })
})
