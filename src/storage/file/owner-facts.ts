import type { Disk } from './disk.ts'
import { parseJson } from './json.ts'
import { readPidNamespace, readStartTime } from './machine.ts'
import { isOwner } from './ownership.ts'

/** The process that owns a directory, as seen from another one. */
export interface OwnerFacts {
  readonly pid: number
  /** Whether it shuts down. */
  readonly draining: boolean
  /** Whether it runs; null where that cannot be seen, as from another container. */
  readonly running: boolean | null
}

/** Who owns a directory, or null where nobody does. Writes nothing. */
export async function readOwnerFacts(disk: Disk): Promise<OwnerFacts | null> {
  const { layer, layout, boot } = disk
  const content = await disk.read(layout.owner)
  const owner = content === null ? null : parseJson(content)
  if (!isOwner(owner)) return null
  const { pid, draining } = owner
  if (owner.boot !== boot) return { pid, draining, running: false }
  if (owner.namespace !== (await readPidNamespace(layer))) return { pid, draining, running: null }
  const startTime = await readStartTime(layer, pid)
  return { pid, draining, running: startTime === undefined ? null : startTime === owner.startTime }
}
