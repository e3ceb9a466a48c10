import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { MemoryState } from '../../../src/index.ts'
import type { LockRequest, MoveOptions, UploadLock } from '../../../src/locks/locker.ts'
import type { Locked } from '../../../src/state/state.ts'
import { CALLER, chunks, create, openUploads } from './opened-uploads.ts'

/** A state whose locks are far away: an append learns that it may move on only after its client has gone. */
class DistantState extends MemoryState {
  #left: () => void = () => {}

  /** What makes the client go. */
  set leave(leave: () => void) {
    this.#left = leave
  }

  override async lock(id: string, request: LockRequest): Promise<Locked> {
    const { lock, upload } = await super.lock(id, request)
    const moveTo = async (number: number, options: MoveOptions): Promise<void> => {
      if (number > 0 && options.signal !== undefined) this.#left()
      await lock.moveTo(number, options)
    }
    const distant = new Proxy<UploadLock>(lock, {
      get: (target, name) => {
        if (name === 'moveTo') return moveTo
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    return { lock: request.scope.kind === 'append' ? distant : lock, upload }
  }
}

it('keeps what was received of the next chunk where the client goes while that is being locked', async () => {
  const state = new DistantState()
  const { uploads } = await openUploads({ state })
  const id = await create(uploads, 300)
  const body = new PassThrough()
  const gone = new AbortController()
  state.leave = () => {
    body.destroy()
    gone.abort()
  }
  body.write(chunks(3).subarray(0, 150))
  const input = { offset: 0, body, contentLength: 300, signal: gone.signal }
  await expect(uploads.append(id, input, CALLER)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
  expect(await uploads.progress(id, CALLER)).toMatchObject({ uploadedBytes: 150 })
})
