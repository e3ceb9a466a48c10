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
  return { state, uploads, id, known }
}

describe('a chunk whose lock is lost while it is stored', () => {
  it('is recorded under another lock', async () => {
    const { state, uploads, id, known } = await setUp()
    state.forgetNext()
    await expect(put(uploads, id, 1)).resolves.toMatchObject({ entry: { number: 1, size: 100 } })
    expect([...(await known()).chunks.keys()]).toEqual([1])
    expect(state.locks.size).toBe(0)
  })

  it('is answered with what another recorded of the same bytes', async () => {
    const { state, uploads, id } = await setUp()
    let other: unknown
    state.forgetNext(async () => {
      other = (await put(uploads, id, 1)).entry
    })
    const { entry } = await put(uploads, id, 1)
    expect(entry).toEqual(other)
  })

  it('is in conflict with other bytes that another recorded', async () => {
    const { state, uploads, id, known } = await setUp()
    state.forgetNext(() => put(uploads, id, 1, chunk(7)))
    await expect(put(uploads, id, 1)).rejects.toMatchObject({ code: 'CHUNK_CONFLICT' })
    expect((await known()).chunks.size).toBe(1)
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
    const offset = offsetOf(await uploads.find(id, CALLER))
    expect(offset).toBeGreaterThanOrEqual(100)
    await append(uploads, id, offset, chunks(3).subarray(offset))
    expect((await known()).chunks.size).toBe(3)
  })
})
