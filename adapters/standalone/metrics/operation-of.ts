import type { FaceName } from '../../failures.ts'
import { isUnder } from '../../paths.ts'

/** What a request is for, by the words of its protocol. */
export interface Operation {
  readonly face: FaceName | 'other'
  readonly operation: string
}

/** Where the faces are mounted. */
export type Mounts = ReadonlyMap<FaceName, string>

const TUS = new Map([
  ['POST', 'create'],
  ['PATCH', 'append'],
  ['HEAD', 'offset'],
  ['DELETE', 'terminate'],
  ['GET', 'download'],
  ['OPTIONS', 'options'],
])

/** By method and what follows the id; of the collection by method and name. */
const JSON_API = new Map([
  ['POST initiate', 'initiate'],
  ['GET ', 'list'],
  ['POST :id/chunks', 'chunk'],
  ['GET :id', 'progress'],
  ['GET :id/progress', 'progress'],
  ['POST :id/complete', 'complete'],
  ['POST :id/resume', 'resume'],
  ['GET :id/events', 'events'],
  ['DELETE :id', 'cancel'],
])

const FILES = new Map([
  ['GET :id', 'record'],
  ['DELETE :id', 'remove'],
  ['GET :id/content', 'download'],
  ['HEAD :id/content', 'download'],
])

/** Names the operation of a request. What no face knows is `other`, so that no stranger can make new names. */
export function operationOf(method: string, path: string, mounts: Mounts): Operation {
  let face: FaceName | null = null
  let mount = ''
  for (const [name, at] of mounts) {
    if ((face !== null && at.length <= mount.length) || !isUnder(path, at)) continue
    face = name
    mount = at
  }
  if (face === null) return { face: 'other', operation: 'other' }
  if (face === 'tus') return { face, operation: TUS.get(method) ?? 'other' }
  const rest = path.slice(mount.length).replace(/^\//, '').replace(/\/$/, '')
  return { face, operation: nameOf(face, method, rest) ?? (method === 'OPTIONS' ? 'options' : 'other') }
}

function nameOf(face: 'json' | 'files', method: string, rest: string): string | undefined {
  const named = face === 'json' ? JSON_API : FILES
  return named.get(`${method} ${rest}`) ?? named.get(`${method} ${rest.replace(/^[^/]+/, ':id')}`)
}
