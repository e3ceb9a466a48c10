import { Bodies } from '../body/bodies.ts'
import { Holds } from '../body/holds.ts'
import { LEAST_READ_AHEAD, MemoryBudget } from '../body/memory-budget.ts'
import { Digests } from '../checksum/digests.ts'
import { isPartial } from '../concatenation.ts'
import type { Receiver } from '../deliveries.ts'
import { type UploadEventMap, UploadEvents } from '../events.ts'
import { heldMemory, lentMemory, resolveOptions, type ResolvedOptions, type UploadsOptions } from '../options.ts'
import { UploadTokens } from '../upload-tokens.ts'
import type { Context } from './context.ts'
import { published } from './file-url.ts'
import { keepDigest } from './keep-digest.ts'
import { type Deliver, Outbox } from './outbox.ts'
import { load } from './records.ts'
import { Sweeper } from './sweep.ts'
import { TailHashes } from './tail-hashes.ts'
import { Vetoes } from './vetoes.ts'
import { Watches } from './watch.ts'
import type { Upload } from '../upload.ts'
import type { Webhook } from '../webhooks/webhook.ts'
import { completedEvent, goneEvent } from '../webhooks/webhook-event.ts'

/** @throws TypeError naming the option that is wrong */
export function createContext(chosen: UploadsOptions): Context {
  const own = resolveOptions(chosen)
  // By the time that all nodes share: an expiry means the same to each of them.
  const options = { ...own, now: () => own.now() + (own.state.skewMs ?? 0) }
  const bodies = createBodies(options)
  const context: Context = {
    options,
    storage: options.storage,
    state: options.state,
    events: new UploadEvents(options.onError),
    bodies,
    digests: new Digests({
      find: (id) => load(context, id, { recent: true }),
      read: (upload, start, end) => options.storage.read(upload, start, end),
      paths: (upload) => options.storage.paths?.(upload) ?? [],
      keep: (id, sha256) => keepDigest(context, id, sha256),
      onError: options.onError,
    }),
    outbox: new Outbox({
      files: options.storage.files,
      locks: options.state.locks,
      receivers: receiversOf(options),
      run: (work) => bodies.runAnyway(work),
      now: options.now,
      onError: options.onError,
    }),
    tailHashes: new TailHashes(),
    tokens: new UploadTokens(() => options.storage.secret()),
    vetoes: new Vetoes(),
    watches: new Watches(),
    sweeper: new Sweeper(() => context),
    speeds: new Map(),
    recoveries: new Map(),
    completions: new Map(),
  }
  context.events.observe((_name, { manifest }) => context.watches.touch(manifest.id))
  const { webhook } = options
  if (webhook !== null) context.events.observe((name, upload) => tellOfEnd(context.outbox, webhook, name, upload))
  return context
}

/** Of a finished file the outbox tells by itself: it is recorded that it has to. Parts of files come and go unsaid. */
function tellOfEnd(outbox: Outbox, webhook: Webhook, name: keyof UploadEventMap, upload: Upload): void {
  if (isPartial(upload) || (name !== 'cancelled' && name !== 'expired' && name !== 'failed')) return
  const event = goneEvent(name, upload)
  outbox.beginUnrecorded(event.id, 'webhook', (signal) => webhook.send(event, signal))
}

function receiversOf(options: ResolvedOptions): Map<Receiver, Deliver> {
  const { onCompleted, webhook } = options
  const receivers = new Map<Receiver, Deliver>()
  if (onCompleted !== null) receivers.set('onCompleted', (file) => onCompleted(published(options, file)))
  if (webhook !== null)
    receivers.set('webhook', (file, signal) => webhook.send(completedEvent(published(options, file)), signal))
  return receivers
}

function createBodies(options: ResolvedOptions): Bodies {
  const { memoryBudget, spoolBudget, spoolDirectory, storage } = options
  if (storage.holdsChunks) {
    const held = heldMemory(memoryBudget)
    const budget = new MemoryBudget(memoryBudget - held, LEAST_READ_AHEAD)
    return new Bodies(options, budget, new Holds({ memory: held, spool: spoolBudget, spoolDirectory }))
  }
  // Here only bodies with checksums are held: they are lent what the others can spare.
  const budget = new MemoryBudget(memoryBudget)
  const held = lentMemory(memoryBudget)
  return new Bodies(options, budget, new Holds({ memory: held, spool: spoolBudget, spoolDirectory, lender: budget }))
}
