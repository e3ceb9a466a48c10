import { appendFile, open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openFile } from '../../../../../adapters/client/node/index.ts'
import { tempDir } from '../../../../support/temp-dir.ts'

it('reads a file in pieces, also beyond 4 GiB', async () => {
  const path = join(await tempDir(), 'large.bin')
  await writeFile(path, '')
  await truncate(path, 5 * 1024 ** 3 + 10)
  const handle = await open(path, 'r+')
  await handle.write('hello', 4.5 * 1024 ** 3)
  await handle.close()
  const file = await openFile(path, { type: 'video/mp4' })
  onTestFinished(() => file.close())
  expect(file).toMatchObject({ name: 'large.bin', size: 5 * 1024 ** 3 + 10, type: 'video/mp4' })
  const bytes = await file.slice(4.5 * 1024 ** 3 - 1, 4.5 * 1024 ** 3 + 6).arrayBuffer()
  expect(Buffer.from(bytes).toString('latin1')).toBe('\0hello\0')
  expect((await file.slice(file.size - 3, file.size).arrayBuffer()).byteLength).toBe(3)
})

it('reads nothing of a file that has changed since', async () => {
  const path = join(await tempDir(), 'log.txt')
  await writeFile(path, 'one line')
  const file = await openFile(path)
  onTestFinished(() => file.close())
  await appendFile(path, ' more')
  await expect(file.slice(0, 3).arrayBuffer()).rejects.toThrow('was changed')
})

it('opens files only', async () => {
  const directory = await tempDir()
  await expect(openFile(directory)).rejects.toThrow('it is no file')
  await expect(openFile(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
})
