import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { UploadStorage } from '../storage.ts'

interface Entry {
  readonly key: string
  readonly value: string
}

/**
 * Remembers uploads in a folder, a small file each, which only its owner may read: they hold tokens. The folder is made when
 * it is first needed.
 */
export function folderStorage(directory: string): UploadStorage {
  const pathOf = (key: string): string => join(directory, `${createHash('sha256').update(key).digest('hex')}.json`)
  const read = async (path: string): Promise<Entry | null> => {
    try {
      const { key, value } = JSON.parse(await readFile(path, 'utf8')) as Partial<Entry>
      return typeof key === 'string' && typeof value === 'string' ? { key, value } : null
    } catch {
      // Not there, or not ours.
      return null
    }
  }
  return {
    get: async (key) => (await read(pathOf(key)))?.value ?? null,
    set: async (key, value) => {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const path = pathOf(key)
      // A kill leaves the old one or the new one, and perhaps a file that nobody reads.
      const next = `${path}.${randomUUID()}`
      await writeFile(next, JSON.stringify({ key, value } satisfies Entry), { mode: 0o600 })
      await rename(next, path)
    },
    delete: (key) => rm(pathOf(key), { force: true }),
    keys: async () => {
      const names = await readdir(directory).catch((): string[] => [])
      const own = names.filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
      const entries = await Promise.all(own.map((name) => read(join(directory, name))))
      return entries.flatMap((entry) => (entry === null ? [] : [entry.key]))
    },
  }
}
