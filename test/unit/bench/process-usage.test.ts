import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { cpuSecondsOf, machineCpuSeconds, peakMibOf } from '../../bench/process-usage.ts'

/** Holds 64 MiB, works for 0.2 s, and then waits for the end of its input. */
const WORKER = `
  const held = Buffer.alloc(64 * 1024 * 1024, 1)
  while (process.cpuUsage().user < 200_000);
  process.stdout.write('done')
  process.stdin.resume()
`

describe.runIf(process.platform === 'linux')('the usage of a process', () => {
  it('is that of its children, too, while they run and when they have ended', async () => {
    const [ours, machine] = [await cpuSecondsOf([process.pid]), await machineCpuSeconds()]
    const child = spawn(process.execPath, ['-e', WORKER], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    // Two ticks may be missing.
    expect(await cpuSecondsOf([process.pid])).toBeGreaterThan(ours + 0.18)
    expect((await machineCpuSeconds()).busy).toBeGreaterThan(machine.busy + 0.18)
    const peak = await peakMibOf([child.pid ?? 0])
    expect(peak).toBeGreaterThan(64)
    expect(await peakMibOf([process.pid])).toBeGreaterThan(peak)
    child.stdin.end()
    await once(child, 'exit')
    expect(await cpuSecondsOf([process.pid])).toBeGreaterThan(ours + 0.18)
  })

  it('is nothing where it is gone', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    expect([await cpuSecondsOf([child.pid ?? 0]), await peakMibOf([child.pid ?? 0])]).toEqual([0, 0])
  })
})
