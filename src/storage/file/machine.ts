import { hostname, uptime } from 'node:os'
import { type FileLayer, hasCode, unlessMissing } from './file-layer.ts'

/** Id of the machine's present boot: what was written under another one may have been lost by a power cut. */
export async function readBootId(layer: FileLayer): Promise<string> {
  try {
    return (await layer.readFile('/proc/sys/kernel/random/boot_id')).toString('latin1').trim()
  } catch {
    // Not Linux. The boot time wavers with the clock, so it is taken roughly: to be wrong costs a look at the bytes.
    return `${hostname()}@${Math.round((Date.now() / 1000 - uptime()) / 100)}`
  }
}

/** The pid namespace of this process, or null where there is none: in another one a pid says nothing. */
export async function readPidNamespace(layer: FileLayer): Promise<string | null> {
  return await layer.readlink('/proc/self/ns/pid').catch(() => null)
}

/**
 * When a process began, in the system's own measure: field 22 of `/proc/<pid>/stat`. A pid alone is used again.
 * Null where the process is gone (a zombie is), undefined where the system does not tell.
 */
export async function readStartTime(layer: FileLayer, pid: number): Promise<string | null | undefined> {
  try {
    const stat = await unlessMissing(layer.readFile(`/proc/${pid}/stat`))
    if (stat === null) return process.platform === 'linux' ? null : undefined
    // The second field is the name, in brackets, and may hold anything.
    const text = stat.toString('latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : fields[19]
  } catch (error) {
    return hasCode(error, 'ESRCH') ? null : undefined
  }
}

/** Whether a process with this pid exists, for systems that tell no more. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !hasCode(error, 'ESRCH')
  }
}
