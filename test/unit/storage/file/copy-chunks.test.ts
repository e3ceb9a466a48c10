import { describe, expect, it } from 'vitest'
import { isUploadError } from '../../../../src/errors.ts'
import type { ChunkEntry } from '../../../../src/ledger.ts'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import type { StoredUpload } from '../../../../src/upload.ts'
import { type CallFault, FaultLayer } from '../../../support/fault-layer.ts'
import { MemoryFiles } from '../../../support/faulty-files.ts'
import {
  chunkOf,
  complete,
  expectBytes,
  gather,
  mustLoad,
  putChunk,
  sha256,
  storeAll,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'

const CHUNK = 100
const PART = testBytes(250)
/** Chunks 0 and 1 are those of the part, the others are not. */
const WHOLE = Buffer.concat([PART, testBytes(CHUNK, 3)])

/** A final that begins with a part, on files that are in memory. */
async function setUp() {
  const memory = new MemoryFiles()
  const layer = new FaultLayer(memory)
  const storage = new FileStorage({ directory: '/data', layer, fsync: 'chunk' })
  await storage.open()
  const partial = testManifest({ concatenation: { kind: 'partial' } })
  const part = await complete(storage, await storeAll(storage, partial, PART))
  const parts = [{ id: partial.id, size: PART.length }]
  const manifest = testManifest({ size: WHOLE.length, concatenation: { kind: 'final', parts } })
  await storage.create(manifest)
  return { memory, layer, storage, part, manifest }
}

/** Copies what a ledger does not have yet. */
function copyMissing(storage: FileStorage, final: StoredUpload, part: StoredUpload): Promise<readonly ChunkEntry[]> {
  const copies = [0, 1].flatMap((number) => {
    const source = { upload: part, start: number * CHUNK, end: (number + 1) * CHUNK }
    return final.ledger.chunks.has(number) ? [] : [{ number, source, at: 8 }]
  })
  return storage.copyChunks(final, copies)
}

/** Whatever was recorded are the bytes of the part, and whatever was said to be is recorded. */
async function expectTrue(files: MemoryFiles, id: string, told: readonly ChunkEntry[]): Promise<void> {
  const storage = new FileStorage({ directory: '/data', layer: files, fsync: 'chunk' })
  await storage.open()
  const final = await mustLoad(storage, id)
  for (const { number } of told) expect(final.ledger.chunks.has(number)).toBe(true)
  for (const { number, sha256: digest } of final.ledger.chunks.values()) {
    expect(digest).toBe(sha256(chunkOf(final, WHOLE, number)))
    const stored = await gather(storage.read(final, number * CHUNK, (number + 1) * CHUNK))
    expectBytes(stored, chunkOf(final, WHOLE, number))
  }
  // Goes on as whoever makes the file does.
  const part = await mustLoad(storage, partOf(final))
  await copyMissing(storage, final, part)
  for (const number of [0, 1, 2, 3]) {
    const now = await mustLoad(storage, id)
    if (!now.ledger.chunks.has(number)) await putChunk(storage, now, WHOLE, number)
  }
  await complete(storage, await mustLoad(storage, id))
  expectBytes(await gather(await storage.openFile(final.manifest.fileId, 0, WHOLE.length)), WHOLE)
  expectBytes(await gather(storage.read(part, 0, PART.length)), PART)
  await storage.close()
}

function partOf({ manifest: { concatenation } }: StoredUpload): string {
  return concatenation?.kind === 'final' ? (concatenation.parts[0]?.id ?? '') : ''
}

describe('copying chunks', () => {
  it('shares the blocks of the part that the file begins with', async () => {
    const { storage, part, manifest, memory } = await setUp()
    const copied = await copyMissing(storage, await mustLoad(storage, manifest.id), part)
    expect(copied.map(({ number }) => number)).toEqual([0, 1])
    await expectTrue(memory.powerCut(), manifest.id, copied)
  })

  it.each(['before', 'after'] as const)('goes on where one call fails, %s it took effect', async (when) => {
    const failed: string[] = []
    for (let nth = 1; ; nth += 1) {
      for (const after of ['a kill', 'a power cut'] as const) {
        const { storage, layer, part, manifest, memory } = await setUp()
        const final = await mustLoad(storage, manifest.id)
        let calls = 0
        layer.plan = ({ name }): CallFault | null => {
          calls += 1
          if (calls !== nth) return null
          failed.push(name)
          return { when, code: 'EIO' }
        }
        const told = await copyMissing(storage, final, part).catch((error: unknown) => {
          expect(isUploadError(error) && error.code).toBe('STORAGE_UNAVAILABLE')
          return []
        })
        layer.plan = () => null
        await expectTrue(after === 'a kill' ? memory.kill() : memory.powerCut(), manifest.id, told)
        if (calls < nth && after === 'a power cut') {
          console.log(`copying chunks, ${when}: ${nth - 1} calls failed, ${[...new Set(failed)].join(', ')}`)
          expect(failed).toEqual(expect.arrayContaining(['clone', 'link', 'writev', 'datasync']))
          return
        }
      }
    }
  })
})
