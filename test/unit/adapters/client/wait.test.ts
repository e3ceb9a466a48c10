import { expect, it, onTestFinished, vi } from 'vitest'
import { waitFor } from '../../../../adapters/client/wait.ts'

it('waits, wakes when the browser is online again where it may, and stops when it is told to', async () => {
  const listeners = new Set<() => void>()
  vi.stubGlobal('addEventListener', (_type: string, listener: () => void) => listeners.add(listener))
  vi.stubGlobal('removeEventListener', (_type: string, listener: () => void) => listeners.delete(listener))
  onTestFinished(() => void vi.unstubAllGlobals())
  const stop = new AbortController()
  await waitFor(1, stop.signal)
  const patient = waitFor(60_000, stop.signal)
  expect(listeners.size).toBe(0)
  const woken = waitFor(60_000, stop.signal, true)
  for (const listener of listeners) listener()
  await woken
  expect(listeners.size).toBe(0)
  stop.abort(new Error('stopped'))
  await expect(patient).rejects.toThrow('stopped')
  await expect(waitFor(60_000, stop.signal, true)).rejects.toThrow('stopped')
  expect(listeners.size).toBe(0)
})
