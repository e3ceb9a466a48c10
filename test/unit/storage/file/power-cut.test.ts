import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Fsync, FileStorage } from '../../../../src/storage/file/index.ts'
import { gridOf, isOpen } from '../../../../src/upload.ts'
import { FaultyFiles, MemoryFiles } from '../../../support/faulty-files.ts'
import {
  chunkOf,
  gather,
  mustLoad,
  putChunk,
  sha256,
  tailOf,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const bytes = testBytes(250)
const kept = testManifest({ id: randomUUID(), fileId: randomUUID() })
const dropped = testManifest({ id: randomUUID(), fileId: randomUUID() })
const record = {
  id: kept.fileId,
  uploadId: kept.id,
  owner: null,
  name: 'a',
  size: 250,
  contentType: 'a/b',
  metadata: {},
  uploadedAt: 1,
  checksum: null,
}

/** The life of two uploads, the one finished, the other cancelled. `told` gets what was acknowledged, as it is. */
async function live(files: FaultyFiles, fsync: Fsync, told: Set<string>): Promise<void> {
  const storage = new FileStorage({ directory: '/data', fsync, layer: files, ownerWaitMs: 0 })
  const tell = async (what: string, done: Promise<unknown>) => {
    await done
    told.add(what)
  }
  try {
    await storage.open()
    await tell('created', storage.create(kept))
    const upload = await mustLoad(storage, kept.id)
    await tell('chunk 1', putChunk(storage, upload, bytes, 1))
    await tell('chunk 0', putChunk(storage, upload, bytes, 0))
    const writer = await storage.beginChunk(upload, 2, 0)
    await writer.write([chunkOf(upload, bytes, 2).subarray(0, 20)])
    await tell('tail', writer.suspend(tailOf(2, chunkOf(upload, bytes, 2).subarray(0, 20))))
    await tell('chunk 2', putChunk(storage, upload, bytes, 2, 20))
    await tell('completing', storage.record(kept.id, { type: 'completing' }))
    await storage.assemble(await mustLoad(storage, kept.id))
    await tell('file', storage.files.put(record))
    await tell('uploaded', storage.record(kept.id, { type: 'ended', status: 'uploaded', at: 1 }))
    await storage.create(dropped)
    await putChunk(storage, await mustLoad(storage, dropped.id), bytes, 0)
    await tell('cancelled', storage.record(dropped.id, { type: 'ended', status: 'cancelled', at: 2 }))
    await storage.discard(await mustLoad(storage, dropped.id))
    told.add('forgetting')
    await tell('forgotten', storage.forget(dropped.id))
  } finally {
    await storage.close().catch(() => {})
  }
}

async function callsOfALife(fsync: Fsync): Promise<number> {
  const files = new FaultyFiles(new MemoryFiles())
  const told = new Set<string>()
  await live(files, fsync, told)
  expect(told).toContain('forgotten')
  expect(files.openHandles).toBe(0)
  return files.operations.length
}

/** Runs a life up to its n-th call. Returns what is on disk, and what was acknowledged. */
async function livePartly(fsync: Fsync, calls: number) {
  const memory = new MemoryFiles()
  const files = new FaultyFiles(memory)
  const told = new Set<string>()
  files.stopAfter(calls)
  await live(files, fsync, told).catch(() => {})
  expect(files.openHandles).toBe(0)
  return { memory, told }
}

/** Says of what a next process finds that it is true, and that the upload can be brought to its end. */
async function mustBeTrue(
  layer: MemoryFiles,
  fsync: Fsync,
  told: ReadonlySet<string>,
  durable: boolean,
): Promise<void> {
  const storage = new FileStorage({ directory: '/data', fsync, layer, ownerWaitMs: 0 })
  await storage.open()
  try {
    const upload = await storage.load(kept.id)
    const mustExist = durable ? told.has('created') : told.has('completing')
    if (mustExist) expect(upload).not.toBeNull()
    if (upload !== null) {
      for (const entry of upload.ledger.chunks.values()) {
        const start = entry.number * kept.chunkSize
        const there = await gather(storage.read(upload, start, start + entry.size))
        expect(sha256(there)).toBe(entry.sha256)
        expect(there).toEqual(bytes.subarray(start, start + entry.size))
      }
      const { tail } = upload.ledger
      if (tail !== null) expect(sha256(await gather(storage.read(upload, 200, 200 + tail.size)))).toBe(tail.sha256)
      if (told.has('completing')) expect(isOpen(upload)).toBe(false)
      if (told.has('uploaded')) expect(upload.status).toBe('uploaded')
      if (durable) {
        for (const n of [0, 1, 2]) if (told.has(`chunk ${n}`)) expect([...upload.ledger.chunks.keys()]).toContain(n)
        if (told.has('tail') && !upload.ledger.chunks.has(2)) expect(tail?.size).toBe(20)
      }
    }
    if (upload?.status === 'uploaded') {
      expect(await gather(await storage.openFile(kept.fileId, 0, 250))).toEqual(bytes)
      expect(await storage.files.get(kept.fileId)).toEqual(record)
    }
    const other = await storage.load(dropped.id)
    if (told.has('cancelled') && !told.has('forgetting')) expect(other?.status).toBe('cancelled')
    if (told.has('cancelled') && other !== null) expect(other.status).toBe('cancelled')
    if (told.has('forgotten')) expect(other).toBeNull()

    if (upload === null) expect(await storage.create(kept)).toBe(true)
    await finish(storage)
    expect(await gather(await storage.openFile(kept.fileId, 0, 250))).toEqual(bytes)
  } finally {
    await storage.close()
  }
}

async function finish(storage: FileStorage): Promise<void> {
  let upload = await mustLoad(storage, kept.id)
  for (const n of [0, 1, 2]) {
    if (upload.ledger.chunks.has(n)) continue
    await putChunk(storage, upload, bytes, n, upload.ledger.tail?.number === n ? upload.ledger.tail.size : 0)
    upload = await mustLoad(storage, kept.id)
  }
  expect(upload.ledger.isFull(gridOf(upload))).toBe(true)
  await storage.record(kept.id, { type: 'completing' })
  await storage.assemble(upload)
  await storage.record(kept.id, { type: 'ended', status: 'uploaded', at: 3 })
  expect((await mustLoad(storage, kept.id)).status).toBe('uploaded')
}

function coin(seed: number): () => boolean {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state & 0x10000) !== 0
  }
}

describe('after a power cut at any call', () => {
  it.each(['complete', 'chunk'] as const)('what is known is true with fsync %s', async (fsync) => {
    const calls = await callsOfALife(fsync)
    for (let call = 0; call <= calls; call += 1) {
      const { memory, told } = await livePartly(fsync, call)
      await mustBeTrue(memory.powerCut(), fsync, told, fsync === 'chunk')
    }
  })

  it.each(['complete', 'chunk'] as const)('what is known is true with fsync %s and torn files', async (fsync) => {
    const calls = await callsOfALife(fsync)
    for (let call = 0; call <= calls; call += 1) {
      const { memory, told } = await livePartly(fsync, call)
      for (let seed = 1; seed <= 3; seed += 1) {
        await mustBeTrue(memory.powerCut(coin(call * 7 + seed), true), fsync, told, fsync === 'chunk')
        await mustBeTrue(memory.powerCut(coin(call * 7 + seed)), fsync, told, fsync === 'chunk')
      }
    }
  })
})

describe('after a kill at any call', () => {
  it.each(['complete', 'chunk', 'off'] as const)('everything acknowledged is there with fsync %s', async (fsync) => {
    const calls = await callsOfALife(fsync)
    for (let call = 0; call <= calls; call += 1) {
      const { memory, told } = await livePartly(fsync, call)
      await mustBeTrue(memory.kill(), fsync, told, true)
    }
  })
})
