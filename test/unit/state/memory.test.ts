import { describe, expect, it } from 'vitest'
import { MemoryState } from '../../../src/state/memory.ts'
import { describeState } from '../../support/state-suite.ts'
import { anUpload, aTail, chunkChange } from '../../support/upload-samples.ts'

describeState('MemoryState', () => ({ state: new MemoryState() }))

describe('MemoryState', () => {
  it('lets the ledger that a reader holds grow, instead of copying it for each chunk', async () => {
    const state = new MemoryState()
    const { manifest, ledger } = await state.adopt(anUpload())
    const lock = await state.locks.acquire(manifest.id, { scope: { kind: 'append' }, waitMs: 0 })
    await state.commit(manifest.id, [chunkChange(0)], { lock, expiresAt: 0 })
    expect(ledger.run).toBe(1)
    await state.commit(manifest.id, [{ type: 'tail', tail: aTail(1, 2) }], { lock, expiresAt: 0 })
    const after = await state.adopt(anUpload({ manifest }))
    expect(after.ledger).toBe(ledger)
  })

  it('waits as long for a lock of @tus/server as the option says', async () => {
    const state = new MemoryState({ waitMs: 5 })
    const { signal } = new AbortController()
    await state.locks.newLock('a').lock(signal, () => {})
    await expect(state.locks.newLock('a').lock(signal, () => {})).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
  })

  it('forgets everything when it is closed', async () => {
    const state = new MemoryState()
    const { manifest } = await state.adopt(anUpload())
    await state.close()
    expect(await state.find(manifest.id)).toBeNull()
  })
})
