import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { FaultLayer } from '../../../support/fault-layer.ts'
import { tempDir } from '../../../support/temp-dir.ts'

async function openIn(directory: string, layer?: FaultLayer): Promise<FileStorage> {
  const storage = new FileStorage({ directory, ...(layer === undefined ? {} : { layer }) })
  await storage.open()
  onTestFinished(() => storage.close())
  return storage
}

it('is in a file that its owner alone may read, whatever the mask', async () => {
  const directory = await tempDir()
  const before = process.umask(0)
  onTestFinished(() => void process.umask(before))
  const secret = await (await openIn(directory)).secret()
  const path = join(directory, 'secret.json')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ version: 1, secret: secret.toString('base64url') })
})

/** Asks for a secret in a new directory, where the call of this number on its files fails; how many were made. */
async function askWhere(failing: number, when: 'before' | 'after'): Promise<number> {
  const directory = await tempDir()
  const layer = new FaultLayer()
  const storage = await openIn(directory, layer)
  let count = 0
  layer.plan = ({ path }) => {
    if (path.includes('secret')) count += 1
    return path.includes('secret') && count === failing ? { when, code: 'EIO' } : null
  }
  const told = await storage.secret().catch(() => null)
  layer.plan = () => null
  const secret = await storage.secret()
  if (told !== null) expect(secret.equals(told)).toBe(true)
  expect((await readdir(directory)).filter((name) => name.includes('secret'))).toEqual(['secret.json'])
  return count
}

it('is there or not at all, whatever call fails while it is made', async () => {
  const calls = await askWhere(0, 'before')
  expect(calls).toBeGreaterThan(5)
  for (let failing = 1; failing <= calls; failing += 1) {
    await askWhere(failing, 'before')
    await askWhere(failing, 'after')
  }
})

it('that cannot be read is not replaced', async () => {
  const directory = await tempDir()
  const storage = await openIn(directory)
  for (const text of ['', '{}', 'null', '{"version":1,"secret":"c2hvcnQ"}', '{"version":2}']) {
    await writeFile(join(directory, 'secret.json'), text)
    await expect(storage.secret()).rejects.toThrow(/cannot be read/)
    expect(await readFile(join(directory, 'secret.json'), 'utf8')).toBe(text)
  }
})
