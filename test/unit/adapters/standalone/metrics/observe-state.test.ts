import { expect, it } from 'vitest'
import { createMetrics } from '../../../../../adapters/standalone/metrics/metrics.ts'
import { observeState } from '../../../../../adapters/standalone/metrics/observe-state.ts'
import { MemoryState } from '../../../../../src/index.ts'

const ID = '6f1d3b0e-0f0c-4f5e-9d3a-3a3a0c8f7b11'
const WHOLE = { scope: { kind: 'whole' }, waitMs: 0 } as const

it('measures waits for locks by scope and outcome', async () => {
  const metrics = createMetrics()
  const state = observeState(new MemoryState(), metrics)
  const { lock } = await state.lock(ID, WHOLE)
  await expect(state.locks.acquire(ID, WHOLE)).rejects.toMatchObject({ code: 'UPLOAD_LOCKED' })
  await lock.release()
  const text = await metrics.registry.getSingleMetricAsString('holdfast_lock_wait_seconds')
  expect(text).toContain('holdfast_lock_wait_seconds_count{scope="whole",outcome="ok"} 1')
  expect(text).toContain('holdfast_lock_wait_seconds_count{scope="whole",outcome="UPLOAD_LOCKED"} 1')
})

it('counts locks that are lost, and tells their holder', async () => {
  const metrics = createMetrics()
  const memory = new MemoryState()
  // A lock in memory cannot be lost: this one is.
  const losing = new Proxy(memory, {
    get: (target, name) =>
      name === 'lock'
        ? async (...[id, request]: Parameters<MemoryState['lock']>) => {
            const locked = await target.lock(id, request)
            request.onLost?.()
            return locked
          }
        : Reflect.get(target, name),
  })
  let told = 0
  await observeState(losing, metrics).lock(ID, { ...WHOLE, onLost: () => (told += 1) })
  expect(told).toBe(1)
  expect(await metrics.registry.getSingleMetricAsString('holdfast_locks_lost_total')).toContain('{scope="whole"} 1')
})
