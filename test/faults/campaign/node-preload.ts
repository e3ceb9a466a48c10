/**
 * Loaded into a real server before its own code: makes calls on its files fail, moves its clock, lets its locks keep nobody
 * out. What fails, it tells its parent before anything else can happen.
 */
import fs from 'node:fs'
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
async function perhaps<T>(call: string, path: string, work: () => Promise<T>): Promise<T> {
  const fault = drawFault(call, path)
  if (fault?.when === 'before') throw fault.error
  const result = await work()
  if (fault !== null) throw fault.error
  return result
}

type Call = (...args: readonly unknown[]) => unknown
const calls = fs as unknown as Record<string, Call>
const promises = fsp as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>

/** Calls on a path, by a callback (the server's) or by a promise (others'). */
for (const call of [
  'readFile',
  'mkdir',
  'rename',
  'link',
  'copyFile',
  'unlink',
  'rmdir',
  'readdir',
  'stat',
  'utimes',
]) {
  const real = realOf(calls, call)
  calls[call] = (...args) => calledBack(call, String(args[0]), real, args)
  const promise = realOf(promises, call)
  promises[call] = (...args) => perhaps(call, String(args[0]), () => promise(...args))
}

/** Paths of what is open, by its number. */
const open = new Map<number, string>()
const realOpen = realOf(calls, 'open')
calls['open'] = (...args) => {
  const path = String(args[0])
  const done = args.at(-1) as (error: Error | null, fd?: number) => void
  const fault = drawFault('open', path)
  if (fault?.when === 'before') return void setImmediate(done, fault.error)
  return realOpen(...args.slice(0, -1), (error: Error | null, fd = -1) => {
    if (error !== null) return done(error)
    if (fault !== null) return fs.close(fd, () => done(fault.error))
    open.set(fd, path)
    return done(null, fd)
  })
}
const HANDLE_CALLS = {
  read: 'read',
  writev: 'writev',
  ftruncate: 'truncate',
  fstat: 'stat',
  fdatasync: 'datasync',
  fsync: 'sync',
}
for (const [name, call] of Object.entries(HANDLE_CALLS)) {
  const real = realOf(calls, name)
  calls[name] = (...args) => calledBack(call, open.get(Number(args[0])) ?? '', real, args)
}

const close = realOf(calls, 'close')
calls['close'] = (...args) => {
  // The next to be opened may have its number.
  open.delete(Number(args[0]))
  return close(...args)
}

/** Does it, unless it is to fail before or after that. The last of `args` is told how it went. */
function calledBack(call: string, path: string, real: Call, args: readonly unknown[]): unknown {
  const fault = drawFault(call, path)
  if (fault === null) return real(...args)
  const done = args.at(-1) as (error: Error) => void
  if (fault.when === 'before') return void setImmediate(done, fault.error)
  return real(...args.slice(0, -1), (error: Error | null) => done(error ?? fault.error))
}

function realOf<T>(of: Record<string, T>, call: string): T {
  const real = of[call]
  if (real === undefined) throw new Error(`There is no call ${call} on files.`)
  return real
}

const PROMISED_HANDLE_CALLS = ['read', 'writev', 'truncate', 'stat', 'datasync', 'sync']

function faulty(handle: FileHandle, path: string): FileHandle {
  const own = handle as unknown as typeof promises
  for (const call of PROMISED_HANDLE_CALLS) {
    const real = realOf(own, call)
    own[call] = (...args) => perhaps(call, path, () => real.apply(handle, args as unknown[]))
  }
  return handle
}

const promisedOpen = fsp.open.bind(fsp)
fsp.open = async (path, ...args) => {
  const fault = drawFault('open', String(path))
  if (fault?.when === 'before') throw fault.error
  const handle = await promisedOpen(path, ...args)
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
