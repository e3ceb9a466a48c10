import { newSecret, parseSecret } from '../secret.ts'
import type { Disk } from './disk.ts'
import { isObject, parseJson, toJson } from './json.ts'

/** For its owner alone. */
const MODE = 0o600

/**
 * The secret of this directory. It gets its name in one step, and is synced whatever else is not: killed or without power
 * at any point, there is none, and nobody was told of one, or there is this one.
 */
export async function readSecret(disk: Disk): Promise<Buffer> {
  const path = disk.layout.secret
  const standing = await disk.read(path)
  if (standing === null) {
    await disk.writeNew(path, toJson(newSecret()), true, MODE)
    return readSecret(disk)
  }
  const value = parseJson(standing)
  return parseSecret(isObject(value) ? value : {}, path)
}
