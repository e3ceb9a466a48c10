import { describe, expect, it } from 'vitest'
import { MemoryState, type Upload } from '../../../src/index.ts'
import type { CommitOptions } from '../../../src/state/state.ts'
import type { Change } from '../../../src/upload.ts'
import { append, CALLER, chunk, chunks, create, offsetOf, openUploads, put } from './opened-uploads.ts'

/** A state whose keeper of locks forgets one, as a Redis that is flushed does, just before something is committed. */
class ForgetfulState extends MemoryState {
  #meanwhile: (() => Promise<unknown>) | null = null

  /** The next commit finds its lock gone; `meanwhile` is what others did before that. */
  forgetNext(meanwhile: () => Promise<unknown> = async () => {}): void {
    this.#meanwhile = meanwhile
  }

  override async commit(id: string, changes: readonly Change[], options: CommitOptions): Promise<Upload | null> {
    const meanwhile = this.#meanwhile
    this.#meanwhile = null
    if (meanwhile !== null) {
      await options.lock?.release()
      await meanwhile()
    }
    return super.commit(id, changes, options)
  }
}

async function setUp() {
  const state = new ForgetfulState()
  const { uploads } = await openUploads({ state })
  const id = await create(uploads, 300)
  const known = async () => (await uploads.find(id, CALLER)).ledger
  /** Another client: it is told to come again while state learns what storage has, and does. */
  const other = async (number: number, bytes?: Buffer) => {
    await expect(put(uploads, id, number, bytes)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
    return put(uploads, id, number, bytes)
  }
  return { state, uploads, id, known, other }
}

describe('a chunk whose lock is lost while it is stored', () => {
  it('is recorded under another lock', async () => {
    const { state, uploads, id, known } = await setUp()
    state.forgetNext()
    await expect(put(uploads, id, 1)).resolves.toMatchObject({ entry: { number: 1, size: 100 } })
    expect([...(await known()).chunks.keys()]).toEqual([1])
    expect(state.locks.size).toBe(0)
  })

  it('is answered like another who sends the same bytes meanwhile', async () => {
    const { state, uploads, id, other } = await setUp()
    let answer: unknown
    state.forgetNext(async () => {
      answer = (await other(1)).entry
    })
    const { entry } = await put(uploads, id, 1)
    expect(entry).toEqual(answer)
  })

  it('stands as storage recorded it, whatever another sends meanwhile: those bytes are in conflict', async () => {
    const { state, uploads, id, known, other } = await setUp()
    state.forgetNext(() => expect(other(1, chunk(7))).rejects.toMatchObject({ code: 'CHUNK_CONFLICT' }))
    const { entry } = await put(uploads, id, 1)
    expect([...(await known()).chunks.values()]).toEqual([entry])
    expect(state.locks.size).toBe(0)
  })

  it('is not recorded in an upload that was cancelled meanwhile', async () => {
    const { state, uploads, id } = await setUp()
    state.forgetNext(() => uploads.cancel(id, CALLER))
    await expect(put(uploads, id, 1)).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED' })
    expect(state.locks.size).toBe(0)
  })
})

describe('an append whose lock is lost', () => {
  it('acknowledges nothing more, and the next goes on from what was recorded', async () => {
    const { state, uploads, id, known } = await setUp()
    await append(uploads, id, 0, chunk(0))
    state.forgetNext()
    await expect(append(uploads, id, 100, chunks(3).subarray(100))).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
    expect(state.locks.size).toBe(0)
    // Storage has more than state was told: the next is told so, and asks for the offset again.
    await expect(append(uploads, id, 100, chunks(3).subarray(100))).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
    const offset = offsetOf(await uploads.find(id, CALLER))
    expect(offset).toBeGreaterThan(100)
    await append(uploads, id, offset, chunks(3).subarray(offset))
    expect((await known()).chunks.size).toBe(3)
  })
})
