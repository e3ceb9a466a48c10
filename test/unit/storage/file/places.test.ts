import { describe, expect, it } from 'vitest'
import { Ledger } from '../../../../src/ledger.ts'
import { Places } from '../../../../src/storage/file/places.ts'

const LOCKED = expect.objectContaining({ code: 'UPLOAD_LOCKED' })
const BEHIND = expect.objectContaining({ code: 'CHUNKS_MISSING' })

describe('the places of an upload', () => {
  it('let one write a chunk at a time, and others beside it', async () => {
    const places = new Places()
    await places.take(0, 0)
    await expect(places.take(0, 0, 0)).rejects.toThrow(LOCKED)
    await places.take(1, 0)
    places.leave(0)
    await places.take(0, 0)
  })

  it('give a chunk to who waits when its writer leaves, one after the other', async () => {
    const places = new Places()
    await places.take(0, 0)
    const order: string[] = []
    const waiting = ['first', 'second'].map(async (name) => {
      await places.take(0, 0)
      order.push(name)
      places.leave(0)
    })
    places.leave(0)
    await Promise.all(waiting)
    expect(order).toHaveLength(2)
  })

  it('let nobody write a chunk that was recorded, also who has waited for it', async () => {
    const places = new Places()
    await places.take(0, 0)
    const waiting = expect(places.take(0, 0)).rejects.toThrow(BEHIND)
    places.recorded(0)
    places.leave(0)
    await waiting
    await expect(places.take(0, 0)).rejects.toThrow(BEHIND)
  })

  it('let nobody write where a tail was recorded, and go on behind it', async () => {
    const places = new Places()
    places.recorded(3, 10)
    places.recorded(3, 7)
    await expect(places.take(3, 9)).rejects.toThrow(BEHIND)
    await places.take(3, 10)
  })

  it('let a chunk be written again that storage has lost, and no other', async () => {
    const places = new Places()
    for (const number of [0, 1]) places.recorded(number)
    places.recorded(2, 10)
    places.keep(Ledger.of([{ number: 1, size: 5, sha256: '', at: 0 }]))
    await places.take(0, 0)
    await places.take(2, 0)
    await expect(places.take(1, 0)).rejects.toThrow(BEHIND)
  })
})
