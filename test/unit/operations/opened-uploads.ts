import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { onTestFinished, vi } from 'vitest'
import { createUploads, MemoryState, type Upload, type Uploads, type UploadsOptions } from '../../../src/index.ts'
import type { LayerHandle } from '../../../src/storage/file/file-layer.ts'
import { FileStorage, type FileStorageOptions } from '../../../src/storage/file/index.ts'
import { FaultLayer } from '../../support/fault-layer.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** Who asks, where nobody is asked who it is. */
export const CALLER = { principal: null } as const
/** Bytes of a chunk. */
const CHUNK = 100

/** A call that can be held up. */
export interface HeldCall {
  readonly name: 'read' | 'writev'
  readonly path: string
  /** How the file was opened. */
  readonly flags: string | number
}

/** Files whose calls fail, or wait, as a test says. */
export class HeldFiles extends FaultLayer {
  /** Reads that were answered: where in which file. */
  readonly reads: { readonly path: string; readonly position: number }[] = []
  /** Calls that wait now. */
  waiting = 0
  #held: ((call: HeldCall) => boolean) | null = null
  #release: () => void = () => {}
  #released: Promise<void> = Promise.resolve()

  /** From now on these calls wait until {@link HeldFiles.release}. */
  hold(held: (call: HeldCall) => boolean): void {
    this.release()
    this.#held = held
    this.#released = new Promise((resolve) => (this.#release = resolve))
  }

  /** Lets go whatever is held. */
  release(): void {
    this.#held = null
    this.#release()
  }

  override async open(path: string, flags: string | number, mode?: number): Promise<LayerHandle> {
    const inner = await super.open(path, flags, mode)
    return {
      ...inner,
      read: async (buffer, offset, length, position) => {
        await this.#turn({ name: 'read', path, flags })
        const result = await inner.read(buffer, offset, length, position)
        this.reads.push({ path, position })
        return result
      },
      writev: async (buffers, position) => {
        await this.#turn({ name: 'writev', path, flags })
        return await inner.writev(buffers, position)
      },
    }
  }

  async #turn(call: HeldCall): Promise<void> {
    if (this.#held?.(call) !== true) return
    this.waiting += 1
    await this.#released
    this.waiting -= 1
  }
}

/** Whether a path is that of an upload's bytes. */
export const isData = (path: string): boolean => path.endsWith('/data')
/** Whether a path is that of an upload's journal. */
export const isJournal = (path: string): boolean => path.endsWith('/journal')

/** Uploads that are open, and what a test needs to get at them. */
export interface OpenedUploads {
  readonly uploads: Uploads
  readonly directory: string
  readonly files: HeldFiles
  /** How often such a lock was asked for. */
  readonly locksAsked: (kind: 'append' | 'chunk' | 'whole') => number
}

/** Opens uploads of chunks of 100 bytes in a folder, a new one unless it is named, until the test has finished. */
export async function openUploads(
  options: Partial<Omit<UploadsOptions, 'storage' | 'state'>> & { readonly state?: MemoryState } = {},
  storage: Partial<Omit<FileStorageOptions, 'layer'>> = {},
): Promise<OpenedUploads> {
  const directory = storage.directory ?? (await tempDir())
  const files = new HeldFiles()
  const state = options.state ?? new MemoryState()
  const acquire = vi.spyOn(state.locks, 'acquire')
  const uploads = createUploads({
    chunkSize: CHUNK,
    ...options,
    storage: new FileStorage({ ...storage, directory, layer: files }),
    state,
  })
  await uploads.open()
  onTestFinished(async () => {
    files.plan = () => null
    files.release()
    await uploads.close()
  })
  return {
    uploads,
    directory,
    files,
    locksAsked: (kind) => acquire.mock.calls.filter(([, { scope }]) => scope.kind === kind).length,
  }
}

/** Creates an upload of so many bytes (null: the length is deferred); its id. */
export async function create(uploads: Uploads, fileSize: number | null, checksum?: string): Promise<string> {
  const declared = checksum === undefined ? {} : { checksum }
  const upload = await uploads.create({ fileName: 'a', fileSize, ...declared }, CALLER)
  return upload.manifest.id
}

/** The bytes of whole chunk n, no two alike. */
export const chunk = (number: number): Buffer => Buffer.alloc(CHUNK, number + 1)
/** The first `count` chunks in a row. */
export const chunks = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, (_, n) => chunk(n)))

/** A body as it comes from a socket. */
const bodyOf = (bytes: Buffer): Readable => Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false })

/** Sends a chunk. */
export function put(uploads: Uploads, id: string, number: number, bytes = chunk(number), checksum?: string) {
  const sha256 = { algorithm: 'sha256', digest: Buffer.from(checksum ?? '', 'hex') } as const
  const declared = checksum === undefined ? {} : { checksums: { before: [sha256], after: null } }
  const input = { number, body: bodyOf(bytes), contentLength: bytes.length, ...declared }
  return uploads.putChunk(id, input, CALLER)
}

/** Appends bytes; `declaredSize` is a length that was deferred until now. */
export function append(uploads: Uploads, id: string, offset: number, bytes: Buffer, declaredSize?: number) {
  const declared = declaredSize === undefined ? {} : { declaredSize }
  return uploads.append(id, { offset, body: bodyOf(bytes), contentLength: bytes.length, ...declared }, CALLER)
}

/** Begins to send a chunk: `first` has been taken in when this resolves, the rest is the caller's to send. */
export async function beginPut(uploads: Uploads, id: string, number: number, first: Buffer) {
  const body = new PassThrough()
  body.write(first)
  const answer = uploads.putChunk(id, { number, body, contentLength: CHUNK }, CALLER)
  // The test looks at it later.
  answer.catch(() => {})
  await vi.waitUntil(() => body.readableLength === 0, { timeout: 10_000 })
  return { body, answer }
}

/** Where a sequential writer goes on, as the ledger has it. */
export function offsetOf({ ledger, manifest, size }: Upload): number {
  return ledger.offset({ chunkSize: manifest.chunkSize, size })
}

/** Takes the bytes of a chunk off the disk, as an fsync that fails does where it throws pages away. */
export async function losePage(directory: string, id: string, number: number): Promise<void> {
  const handle = await open(join(directory, 'uploads', id, 'data'), 'r+')
  try {
    await handle.write(Buffer.alloc(CHUNK), 0, CHUNK, number * CHUNK)
  } finally {
    await handle.close()
  }
}

/** What a piece of work has come to, when it has: to be looked at while waiting for something else. */
export function outcomeOf(work: Promise<unknown>): { settled: boolean } {
  const outcome = { settled: false }
  const end = (): void => {
    outcome.settled = true
  }
  work.then(end, end)
  return outcome
}
