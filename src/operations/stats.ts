import type { BodyKind } from '../body/bodies.ts'
import type { Context } from './context.ts'
import type { SweepStats } from './sweep.ts'

/** What a process is doing, for metrics. Counted since it began. Sizes are bytes. */
export interface UploadsStats {
  /** Unfinished uploads that this process has received bytes of. */
  readonly activeUploads: number
  /** Bodies being received, and those that wait unread for room. */
  readonly bodies: { readonly active: number; readonly waiting: number }
  /** Bytes of bodies received, by what they were. */
  readonly received: Readonly<Record<BodyKind, number>>
  /** The memory budget, and how much of it is taken. */
  readonly memory: { readonly budget: number; readonly reserved: number }
  /** The same of files. */
  readonly spool: { readonly budget: number; readonly reserved: number }
  /** Finished files of which receivers are being told, or wait to be. */
  readonly deliveries: number
  readonly sweeps: SweepStats
}

/** See {@link Uploads.stats}. */
export function stats({ bodies, options, outbox, speeds }: Context, sweeps: SweepStats): UploadsStats {
  const { memory, files } = bodies.reserved
  return {
    activeUploads: speeds.size,
    bodies: { active: bodies.size, waiting: bodies.waiting },
    received: bodies.received,
    memory: { budget: options.memoryBudget, reserved: memory },
    spool: { budget: options.spoolBudget, reserved: files },
    deliveries: outbox.size,
    sweeps,
  }
}
