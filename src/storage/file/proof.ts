import { createHash } from 'node:crypto'
import { chunkStart, type Grid, MIB } from '../../grid.ts'
import { type ChunkEntry, Ledger, type Tail } from '../../ledger.ts'
import { type LayerHandle, writeAll } from './file-layer.ts'

/** How many chunks are read at the same time. */
const PARALLEL = 4

/**
 * The part of a ledger whose bytes are there.
 *
 * With `renew` every byte is also written again as it was read. After a failed fsync the system may hold right bytes in
 * memory, believe them clean and never write them: reading alone would prove nothing, and the next fsync would succeed.
 */
export async function proveLedger(handle: LayerHandle, grid: Grid, ledger: Ledger, renew: boolean): Promise<Ledger> {
  const waiting = [...ledger.chunks.values()]
  const proven: ChunkEntry[] = []
  const prove = async () => {
    for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
      if (await isThere(handle, grid, entry, renew)) proven.push(entry)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, prove))
  const { tail } = ledger
  const tailIsThere = tail !== null && (await isThere(handle, grid, tail, renew))
  return Ledger.of(proven, tailIsThere ? tail : null)
}

async function isThere(handle: LayerHandle, grid: Grid, stretch: Tail, renew: boolean): Promise<boolean> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(MIB, stretch.size))
  let position = chunkStart(grid, stretch.number)
  const end = position + stretch.size
  while (position < end) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - position), position)
    if (bytesRead === 0) return false
    const bytes = buffer.subarray(0, bytesRead)
    hash.update(bytes)
    if (renew) await writeAll(handle, [bytes], position)
    position += bytesRead
  }
  return hash.digest('hex') === stretch.sha256
}
