/**
 * Loaded into a real server before its own code: makes calls on its files fail, moves its clock, lets its locks keep nobody
 * out. What fails, it tells its parent before anything else can happen.
 */
import fsp, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Random } from '../../support/byte-source.ts'
import { FaultChance } from './fault-chance.ts'
import { FAULTS_VARIABLE, type NodeFaults, type NodeNews, type NodeOrder } from './node-orders.ts'
import { Phases } from './phases.ts'
import { unlock } from './unlock.ts'

const { directory, seed, skewMs, isUnlocked } = JSON.parse(process.env[FAULTS_VARIABLE] ?? '') as NodeFaults
const chance = new FaultChance(new Random(seed))
const phases = new Phases()

process.on('message', (order: NodeOrder) => {
  if ('weather' in order) chance.weather = order.weather
  else if ('phases' in order) for (const [id, phase] of order.phases) phases.enter(id, phase)
  else for (const [cell, count] of order.counts) chance.learn(cell, count)
})
// Neither does it keep the server alive.
process.channel?.unref()
process.on('disconnect', () => process.exit())

/** Codes of calls that take room on the disk, and of others. */
const FULL = ['EIO', 'ENOSPC', 'EDQUOT'] as const
const IO = ['EIO'] as const
const TAKES_ROOM = new Set(['writev', 'mkdir', 'rename', 'link'])

/** What goes wrong with a call, told already; null where it goes well. */
function drawFault(call: string, path: string): { readonly when: 'before' | 'after'; readonly error: Error } | null {
  if (!path.startsWith(directory)) return null
  const phase = phases.of(path)
  if (!chance.fails(`${call}, ${phase}`)) return null
  const when = chance.pick(['before', 'after'] as const)
  const code = chance.pick(TAKES_ROOM.has(call) ? FULL : IO)
  const news: NodeNews = { call, phase, when, code }
  process.send?.(news)
  return { when, error: Object.assign(new Error(`${code}: a fault, ${call} '${path}'`), { code, syscall: call, path }) }
}

/** Does it, unless it is to fail before or after that. */
async function perhaps<T>(call: string, path: unknown, work: () => Promise<T>): Promise<T> {
  const fault = drawFault(call, String(path))
  if (fault?.when === 'before') throw fault.error
  const result = await work()
  if (fault !== null) throw fault.error
  return result
}

type Files = Record<string, (...args: readonly unknown[]) => Promise<unknown>>
const files = fsp as unknown as Files

const PATH_CALLS = ['readFile', 'mkdir', 'rename', 'link', 'copyFile', 'unlink', 'rmdir', 'readdir', 'stat', 'utimes']
for (const call of PATH_CALLS) {
  const real = files[call]
  if (real === undefined) throw new Error(`node:fs/promises has no ${call}.`)
  files[call] = (...args) => perhaps(call, args[0], () => real(...args))
}

const HANDLE_CALLS = ['read', 'writev', 'truncate', 'stat', 'datasync', 'sync']

function faulty(handle: FileHandle, path: string): FileHandle {
  const calls = handle as unknown as Files
  for (const call of HANDLE_CALLS) {
    const real = calls[call]
    if (real === undefined) throw new Error(`A file handle has no ${call}.`)
    calls[call] = (...args) => perhaps(call, path, () => real.apply(handle, args as unknown[]))
  }
  return handle
}

const open = fsp.open.bind(fsp)
fsp.open = async (path, ...args) => {
  const fault = drawFault('open', String(path))
  if (fault?.when === 'before') throw fault.error
  const handle = await open(path, ...args)
  if (fault === null) return faulty(handle, String(path))
  await handle.close()
  throw fault.error
}
syncBuiltinESMExports()

if (skewMs !== 0) {
  const now = Date.now.bind(Date)
  globalThis.Date = new Proxy(Date, {
    construct: (Real, args, target) => Reflect.construct(Real, args.length === 0 ? [now() + skewMs] : args, target),
    get: (Real, name, receiver) => (name === 'now' ? () => now() + skewMs : Reflect.get(Real, name, receiver)),
  })
}

if (isUnlocked) await unlock(new URL('../../src/locks/', pathToFileURL(process.argv[1] ?? '')))
