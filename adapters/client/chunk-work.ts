import type { Api } from './api.ts'
import { chunksIn } from './chunk-plan.ts'
import { ResumableUploadError } from './errors.ts'
import type { Sha256 } from './sha256.ts'
import { readChunk, type UploadSource } from './source.ts'
import type { Tally } from './tally.ts'
import { together } from './together.ts'
import type { UploadPlan, UploadSession } from './upload-session.ts'

/** What the work on chunks needs. */
export interface ChunkWorkTools {
  readonly api: Api
  readonly source: UploadSource
  readonly sha256: Sha256
  readonly tally: Tally
  readonly parallel: number
}

/** Brings the chunks of one file to its upload, and sees that those which are there are this file's. */
export class ChunkWork {
  readonly #tools: ChunkWorkTools
  readonly #session: UploadSession
  /** Chunks of which it is known that the server has this file's. */
  readonly #checked = new Set<number>()

  constructor(tools: ChunkWorkTools, session: UploadSession) {
    this.#tools = tools
    this.#session = session
  }

  /** @throws ResumableUploadError `CHUNK_CONFLICT` where the upload is of another file */
  async run(plan: UploadPlan, signal: AbortSignal): Promise<void> {
    const { tally, parallel } = this.#tools
    const unchecked = [...chunksIn(plan.present)].filter((number) => !this.#checked.has(number))
    const known = unchecked.filter((number) => this.#session.knows(number))
    // The ends first: another file is nearly always found out here, before a byte of it is sent.
    const ends = new Set([known.at(0), known.at(-1)].filter((number) => number !== undefined))
    if (ends.size > 0) tally.enter('checking')
    for (const number of ends) await this.#check(number, signal)
    const strange = unchecked.filter((number) => !this.#session.knows(number))
    // What is not remembered the server compares, as far as a sample goes. A finished file takes nothing any more.
    const probes = plan.completed
      ? []
      : new Set([strange.at(0), strange.at(-1)].filter((number) => number !== undefined))
    for (const number of probes) await this.#send(number, signal, 'again')

    const missing = chunksIn(plan.missing)
    const sender = async (all: AbortSignal): Promise<void> => {
      for (const number of missing) await this.#send(number, all)
    }
    const checker = async (all: AbortSignal): Promise<void> => {
      for (const number of known) if (!ends.has(number)) await this.#check(number, all)
    }
    await together(signal, [...Array.from({ length: parallel }, () => sender), checker])
  }

  /** Sends a chunk; `again`: one that the server has, to be compared. */
  async #send(number: number, signal: AbortSignal, again?: 'again'): Promise<void> {
    signal.throwIfAborted()
    const { api, source, sha256, tally } = this.#tools
    const session = this.#session
    const bytes = await readChunk(source, session.bounds(number))
    const checksum = await sha256(bytes)
    if (again === undefined) await session.note(number, checksum)
    signal.throwIfAborted()
    await api.chunk(session.id, number, bytes, {
      signal,
      token: session.token,
      checksum,
      onTrouble: (error) => tally.wait(error, number),
      ...(again === undefined ? { onSent: (sent) => tally.sending(number, Math.min(sent, bytes.byteLength)) } : {}),
    })
    this.#checked.add(number)
    if (again === undefined) tally.stored(number, bytes.byteLength)
    else await session.note(number, checksum)
  }

  async #check(number: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const bytes = await readChunk(this.#tools.source, this.#session.bounds(number))
    if (this.#session.matches(number, await this.#tools.sha256(bytes)) === false) {
      throw new ResumableUploadError(
        'CHUNK_CONFLICT',
        `Chunk ${number} of the upload is of another file than this one.`,
      )
    }
    this.#checked.add(number)
  }
}
