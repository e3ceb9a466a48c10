import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { folderStorage } from '../../../../../adapters/client/node/index.ts'
import { tempDir } from '../../../../support/temp-dir.ts'

it('a folder remembers, and shows nothing to others', async () => {
  const directory = join(await tempDir(), 'a', 'b')
  const storage = folderStorage(directory)
  expect(await storage.get('one')).toBeNull()
  expect(await storage.keys()).toEqual([])
  await storage.delete('one')
  await storage.set('one', 'first')
  await storage.set('one', 'second')
  await storage.set('two/../x', 'third')
  await writeFile(join(directory, `${'0'.repeat(64)}.json`), 'torn')
  expect(await folderStorage(directory).get('one')).toBe('second')
  expect((await storage.keys()).toSorted()).toEqual(['one', 'two/../x'])
  const names = await readdir(directory)
  const modes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).mode & 0o77))
  expect(modes.filter((mode) => mode !== 0)).toHaveLength(1)
  expect((await stat(directory)).mode & 0o77).toBe(0)
  await storage.delete('one')
  expect(await storage.keys()).toEqual(['two/../x'])
})
