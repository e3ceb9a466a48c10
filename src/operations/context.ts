import type { Bodies } from '../body/bodies.ts'
import type { Digests } from '../checksum/digests.ts'
import type { UploadEvents } from '../events.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Speedometer } from '../speedometer.ts'
import type { Storage } from '../storage/storage.ts'
import type { State } from '../state/state.ts'
import type { UploadTokens } from '../upload-tokens.ts'
import type { Upload } from '../upload.ts'
import type { Outbox } from './outbox.ts'
import type { Sweeper } from './sweep.ts'
import type { TailHashes } from './tail-hashes.ts'
import type { Vetoes } from './vetoes.ts'
import type { Watches } from './watch.ts'

/** What every operation works with. */
export interface Context {
  readonly options: ResolvedOptions
  readonly storage: Storage
  readonly state: State
  readonly events: UploadEvents
  readonly bodies: Bodies
  readonly digests: Digests
  readonly outbox: Outbox
  readonly tailHashes: TailHashes
  readonly tokens: UploadTokens
  readonly vetoes: Vetoes
  readonly watches: Watches
  readonly sweeper: Sweeper
  readonly speeds: Map<string, Speedometer>
  /** Recoveries from storage under way, by upload id: one each. */
  readonly recoveries: Map<string, Promise<Upload | null>>
  /** Completions under way, by upload id: one each. */
  readonly completions: Map<string, Promise<Upload>>
}

/** Drops what this process remembers of an upload that takes no more bytes. */
export function dropTransients(context: Context, id: string): void {
  context.tailHashes.drop(id)
  context.speeds.delete(id)
  context.vetoes.lift(id)
}
