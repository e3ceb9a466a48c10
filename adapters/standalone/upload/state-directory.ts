import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { Environment } from '../configuration.ts'

/**
 * Where unfinished uploads are remembered (XDG Base Directory Specification: "If an implementation encounters a relative path
 * in any of these variables it should consider the path invalid and ignore it").
 */
export function stateDirectory({ XDG_STATE_HOME = '' }: Environment, home: string = homedir()): string {
  const base = isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(home, '.local', 'state')
  return join(base, 'holdfast', 'uploads')
}
