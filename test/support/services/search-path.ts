import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The paths of the named programs on the PATH, in its order. */
export function searchPath(names: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const directories = (env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '')
  return directories.flatMap((directory) => names.map((name) => join(directory, name))).filter(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
