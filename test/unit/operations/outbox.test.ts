import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Deliveries, Receiver } from '../../../src/deliveries.ts'
import { owedIn, owedTo, settled } from '../../../src/deliveries.ts'
import type { FileRecord, FileRepository } from '../../../src/files.ts'
import { MemoryState } from '../../../src/state/memory.ts'
import { type Deliver, type DeliveryPolicy, Outbox } from '../../../src/operations/outbox.ts'
import { append, CALLER, chunk, create, openUploads, put } from './opened-uploads.ts'

const POLICY: DeliveryPolicy = {
  baseMs: 2,
  longestPauseMs: 4,
  patienceMs: 5000,
  giveUpAfterMs: 60_000,
  takeOverWaitMs: 5000,
}

const FILE: FileRecord = {
  id: '0b6c8f0e-0000-4000-8000-000000000001',
  uploadId: '0b6c8f0e-0000-4000-8000-000000000002',
  owner: null,
  name: 'a',
  size: 1,
  contentType: 'text/plain',
  metadata: {},
  uploadedAt: 1000,
  checksum: null,
}

const NAMES: readonly Receiver[] = ['onCompleted', 'webhook']

/** Records in memory, of which somebody is to be told. */
class Records implements FileRepository {
  readonly deliveries = new Map<string, Deliveries>()
  /** How many more calls of settle fail. */
  settleFailures = 0

  async put(file: FileRecord, owed: readonly Receiver[] = []): Promise<void> {
    const deliveries = owedTo(owed)
    if (deliveries !== undefined) this.deliveries.set(file.id, deliveries)
  }

  async get(): Promise<FileRecord> {
    return FILE
  }

  async owed(fileId: string) {
    const receivers = owedIn(this.deliveries.get(fileId) ?? {})
    return receivers.length === 0 ? null : { file: FILE, receivers }
  }

  async settle(fileId: string, outcomes: Deliveries): Promise<void> {
    if (this.settleFailures > 0) {
      this.settleFailures -= 1
      throw new Error('the disk is full')
    }
    this.deliveries.set(fileId, settled(this.deliveries.get(fileId) ?? {}, outcomes))
  }

  async remove(): Promise<void> {}
}

function outbox(receivers: Readonly<Record<string, Deliver>>, parts: { records?: Records; state?: MemoryState } = {}) {
  const { records = new Records(), state = new MemoryState() } = parts
  const clock = { now: 1000 }
  const errors: string[] = []
  const box = new Outbox(
    {
      files: records,
      locks: state.locks,
      receivers: new Map(NAMES.flatMap((name) => (receivers[name] === undefined ? [] : [[name, receivers[name]]]))),
      run: (work) => work(),
      now: () => clock.now,
      onError: (error, where) => errors.push(`${where}: ${String(error)}`),
    },
    POLICY,
  )
  return { box, records, state, clock, errors }
}

describe('the outbox', () => {
  it('tells each receiver once, and records that', async () => {
    const told: string[] = []
    const { box, records, errors } = outbox({
      onCompleted: ({ id }) => void told.push(`onCompleted ${id}`),
      webhook: ({ id }) => void told.push(`webhook ${id}`),
    })
    await records.put(FILE, box.receivers)
    box.begin(FILE)
    await box.settled()
    expect(told).toEqual([`onCompleted ${FILE.id}`, `webhook ${FILE.id}`])
    expect(records.deliveries.get(FILE.id)).toEqual({ onCompleted: 'delivered', webhook: 'delivered' })
    await box.takeUp(FILE.id)
    await box.settled()
    expect([told.length, errors]).toEqual([2, []])
  })

  it('tells one that failed again, and not the other', async () => {
    let failures = 3
    const told: string[] = []
    const { box, records, errors } = outbox({
      onCompleted: () => void told.push('onCompleted'),
      webhook: () => {
        told.push('webhook')
        if (failures-- > 0) throw new Error('503')
      },
    })
    await records.put(FILE, box.receivers)
    box.begin(FILE)
    await box.settled()
    expect(told).toEqual(['onCompleted', 'webhook', 'webhook', 'webhook', 'webhook'])
    expect(errors).toEqual(Array.from({ length: 3 }, () => 'webhook: Error: 503'))
    expect(await records.owed(FILE.id)).toBeNull()
  })

  it('does not tell again what it could not record, as long as it lives', async () => {
    const tell = vi.fn()
    const { box, records } = outbox({ onCompleted: tell })
    await records.put(FILE, box.receivers)
    records.settleFailures = 2
    box.begin(FILE)
    await box.settled()
    expect(tell).toHaveBeenCalledOnce()
    expect(await records.owed(FILE.id)).toBeNull()
  })

  it('is taken up by one of two nodes, after the one that was at it', async () => {
    const records = new Records()
    const state = new MemoryState()
    const tell = vi.fn<Deliver>(() => delay(20))
    const one = outbox({ webhook: tell }, { records, state })
    const other = outbox({ webhook: tell }, { records, state })
    await records.put(FILE, one.box.receivers)
    one.box.begin(FILE)
    await other.box.takeUp(FILE.id)
    await Promise.all([one.box.settled(), other.box.settled()])
    expect(tell).toHaveBeenCalledOnce()
    expect(await records.owed(FILE.id)).toBeNull()
  })

  it('waits for the lock of a node that was killed in the middle of it', async () => {
    const { box, records, state } = outbox({ webhook: () => {} })
    await records.put(FILE, ['webhook'])
    const dead = await state.locks.acquire(`${FILE.uploadId}/delivery`, { scope: { kind: 'whole' }, waitMs: 0 })
    await box.takeUp(FILE.id)
    await vi.waitUntil(() => box.size === 1)
    await dead.release()
    await box.settled()
    expect(await records.owed(FILE.id)).toBeNull()
  })

  it('gives up on a file that is too old, loudly, and not without trying', async () => {
    const tell = vi.fn<Deliver>(() => {
      throw new Error('503')
    })
    const { box, records, clock, errors } = outbox({ webhook: tell })
    await records.put(FILE, ['webhook'])
    clock.now = FILE.uploadedAt + POLICY.giveUpAfterMs - 1
    await box.takeUp(FILE.id)
    await box.settled()
    expect(tell).toHaveBeenCalledOnce()
    expect((await records.owed(FILE.id))?.receivers).toEqual(['webhook'])

    clock.now += 1
    await box.takeUp(FILE.id)
    await box.settled()
    expect(tell).toHaveBeenCalledTimes(2)
    expect(records.deliveries.get(FILE.id)).toEqual({ webhook: 'givenUp' })
    expect(errors.at(-1)).toMatch(
      /^webhook: Error: gave up telling of file .*0001 \(upload .*0002\), finished at 1970-/,
    )
  })

  it('leaves alone what is owed to somebody who is not there', async () => {
    const { box, records } = outbox({ onCompleted: () => {} })
    await records.put(FILE, ['webhook'])
    await box.takeUp(FILE.id)
    await box.settled()
    expect(records.deliveries.get(FILE.id)).toEqual({ webhook: 'owed' })
  })

  it('ends its pauses when it is drained, and what is owed stays', async () => {
    const tell = vi.fn<Deliver>(() => {
      throw new Error('503')
    })
    const { box, records } = outbox({ webhook: tell })
    await records.put(FILE, ['webhook'])
    box.begin(FILE)
    await vi.waitUntil(() => tell.mock.calls.length > 0)
    box.drain()
    await box.settled()
    expect(box.size).toBe(0)
    expect((await records.owed(FILE.id))?.receivers).toEqual(['webhook'])
  })
})

describe('onCompleted', () => {
  it('is told after a restart of what it was not told before it', async () => {
    const failing = await openUploads({ onCompleted: () => Promise.reject(new Error('the table is locked')) })
    const one = await create(failing.uploads, 100)
    await append(failing.uploads, one, 0, chunk(0))
    const other = await create(failing.uploads, 100)
    await put(failing.uploads, other, 0)
    await failing.uploads.complete(other, {}, CALLER)
    await failing.uploads.close()

    const told: string[] = []
    const options = { onCompleted: ({ uploadId }: FileRecord) => void told.push(uploadId) }
    const again = await openUploads(options, { directory: failing.directory })
    await vi.waitUntil(() => told.length === 2, { timeout: 10_000 })
    expect(told.toSorted()).toEqual([one, other].toSorted())
    await again.uploads.close()

    const third = await openUploads(options, { directory: failing.directory })
    const last = await create(third.uploads, 100)
    await append(third.uploads, last, 0, chunk(0))
    await vi.waitUntil(() => told.length > 2, { timeout: 10_000 })
    expect(told.slice(2)).toEqual([last])
  })

  it('is not told of files that were finished when nobody listened', async () => {
    const before = await openUploads()
    await append(before.uploads, await create(before.uploads, 100), 0, chunk(0))
    await before.uploads.close()

    const told: string[] = []
    const options = { onCompleted: ({ uploadId }: FileRecord) => void told.push(uploadId), sweepIntervalMs: 5 }
    const after = await openUploads(options, { directory: before.directory })
    const id = await create(after.uploads, 100)
    await append(after.uploads, id, 0, chunk(0))
    await vi.waitUntil(() => told.length > 0)
    // Some sweeps later.
    const sweeps = after.locksAsked('whole') + 3
    await vi.waitUntil(() => after.locksAsked('whole') > sweeps)
    expect(told).toEqual([id])
  })
})
