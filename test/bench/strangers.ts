import { cpuSecondsOf, machineCpuSeconds } from './process-usage.ts'

/**
 * Begins to watch the machine; the result says which part of it, in percent, was taken by others than this process and its
 * children: other programs, threads of the kernel, and the host, where the machine is a virtual one.
 */
export async function watchStrangers(): Promise<() => Promise<number>> {
  const look = async () => ({ ours: await cpuSecondsOf([process.pid]), ...(await machineCpuSeconds()) })
  const before = await look()
  return async () => {
    const now = await look()
    const theirs = now.busy - before.busy - (now.ours - before.ours)
    return (Math.max(0, theirs) / (now.all - before.all)) * 100
  }
}
