import { Bodies } from '../body/bodies.ts'
import { Digests } from '../checksum/digests.ts'
import { UploadEvents } from '../events.ts'
import { resolveOptions, type ResolvedOptions, type UploadsOptions } from '../options.ts'
import type { Speedometer } from '../speedometer.ts'
import type { Storage } from '../storage/storage.ts'
import type { State } from '../state/state.ts'
import type { Upload } from '../upload.ts'
import { keepDigest } from './keep-digest.ts'
import { load } from './records.ts'
import { TailHashes } from './tail-hashes.ts'

/** What every operation works with. */
export interface Context {
  readonly options: ResolvedOptions
  readonly storage: Storage
  readonly state: State
  readonly events: UploadEvents
  readonly bodies: Bodies
  readonly digests: Digests
  readonly tailHashes: TailHashes
  readonly speeds: Map<string, Speedometer>
  /** Recoveries from storage under way, by upload id: one each. */
  readonly recoveries: Map<string, Promise<Upload | null>>
  /** Completions under way, by upload id: one each. */
  readonly completions: Map<string, Promise<Upload>>
}

/** @throws TypeError naming the option that is wrong */
export function createContext(chosen: UploadsOptions): Context {
  const options = resolveOptions(chosen)
  const context: Context = {
    options,
    storage: options.storage,
    state: options.state,
    events: new UploadEvents(options.onError),
    bodies: new Bodies(options.idleTimeoutMs),
    digests: new Digests({
      find: (id) => load(context, id),
      read: (upload, start, end) => options.storage.read(upload, start, end),
      keep: (id, sha256) => keepDigest(context, id, sha256),
      onError: options.onError,
    }),
    tailHashes: new TailHashes(),
    speeds: new Map(),
    recoveries: new Map(),
    completions: new Map(),
  }
  return context
}

/** Drops what this process remembers of an upload that takes no more bytes. */
export function dropTransients(context: Context, id: string): void {
  context.tailHashes.drop(id)
  context.speeds.delete(id)
}
