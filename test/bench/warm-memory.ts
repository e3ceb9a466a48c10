import { open } from 'node:fs/promises'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { mortalFolder, removeFolder } from '../support/services/mortal-process.ts'

const MIB = 1024 ** 2
const MOST = 4096 * MIB

/**
 * Fills memory with a file, and gives it back. Where a host takes from its virtual machines what has been free for two seconds
 * (the balloon's free page reporting), the first use of such memory costs a CPU second per GiB and more, five times what
 * writing a GiB to the page cache costs otherwise: who begins at once after the run before is spared that, who begins later is not.
 *
 * `bytes`: what the run will write. More is warmed, because what is free is taken back part by part meanwhile.
 */
export async function warmMemory(bytes: number): Promise<void> {
  const size = Math.min(4 * bytes + 256 * MIB, MOST, freemem() / 2)
  const folder = await mortalFolder('bench-warm')
  try {
    const file = await open(join(folder, 'warm'), 'wx')
    try {
      const block = Buffer.alloc(4 * MIB, 1)
      for (let at = 0; at < size; at += block.length) await file.write(block, 0, block.length, at)
    } finally {
      await file.close()
    }
  } finally {
    await removeFolder(folder)
  }
}
