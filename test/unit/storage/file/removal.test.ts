import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { complete, mustLoad, putChunk, storeAll, testBytes, testManifest } from '../../../support/storage-suite.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const bytes = testBytes(250)
const old = new Date(Date.now() - 3_600_000)

async function setUp() {
  const directory = await tempDir()
  const storage = new FileStorage({ directory })
  await storage.open()
  onTestFinished(() => storage.close())
  /** Makes a file, and its folders, that look an hour old. */
  const leave = async (path: string, content = 'x') => {
    const folder = join(directory, path, '..')
    await mkdir(folder, { recursive: true })
    await writeFile(join(directory, path), content)
    await utimes(join(directory, path), old, old)
    if (path.split('/').length > 2) await utimes(folder, old, old)
  }
  return { directory, storage, leave, names: (path: string) => readdir(join(directory, path)) }
}

describe('sweeping', () => {
  it('removes old leftovers of our own shape', async () => {
    const { storage, leave, names } = await setUp()
    await leave(`uploads/.new-${randomUUID()}-0123abcd/manifest.json`)
    await leave(`uploads/.gone-${randomUUID()}-0123abcd/data`)
    await leave(`uploads/${randomUUID()}/data`)
    await leave(`uploads/${randomUUID()}/journal`, '')
    await leave(`uploads/${randomUUID()}/manifest.json`, '')
    await leave(`uploads/${randomUUID()}/manifest.json`, '{"version":1,"id":"')
    await leave(`files/.${randomUUID()}.json-0123abcd.tmp`)
    await leave(`claims/.${'a'.repeat(64)}.json-0123abcd.tmp`)
    await leave(`claims/${'a'.repeat(64)}.json`, 'torn')
    await storage.sweep(0)
    for (const folder of ['uploads', 'files', 'claims']) expect(await names(folder)).toEqual([])
  })

  it('leaves young leftovers: they may be somebody’s work', async () => {
    const { storage, names, directory } = await setUp()
    await mkdir(join(directory, 'uploads', `.new-${randomUUID()}-0123abcd`))
    await mkdir(join(directory, 'uploads', randomUUID()))
    await writeFile(join(directory, 'files', `.${randomUUID()}.json-0123abcd.tmp`), '')
    await storage.sweep(0)
    expect(await names('uploads')).toHaveLength(2)
    expect(await names('files')).toHaveLength(1)
  })

  it('leaves everything that is not ours', async () => {
    const { storage, leave, names, directory } = await setUp()
    await leave('uploads/notes.txt')
    await leave('uploads/.new-thing/manifest.json')
    await leave('uploads/lost+found/data')
    await leave(`files/${randomUUID()}`)
    await leave('files/.hidden')
    await leave('claims/readme.json')
    await leave('.backup-0123abcd')
    const id = randomUUID()
    await leave(`uploads/${id}/data`)
    await leave(`uploads/${id}/notes.txt`)
    await storage.sweep(Date.now())
    expect(await names('claims')).toEqual(['readme.json'])
    expect(await names('files')).toHaveLength(2)
    expect(await names('.')).toContain('.backup-0123abcd')
    const uploads = await names('uploads')
    expect(uploads).toEqual(expect.arrayContaining(['notes.txt', '.new-thing', 'lost+found']))
    const gone = uploads.find((name) => name.startsWith(`.gone-${id}`)) ?? ''
    expect(await readdir(join(directory, 'uploads', gone))).toEqual(['notes.txt'])
  })

  it('leaves uploads, and folders whose manifest a newer version wrote', async () => {
    const { storage, directory, leave } = await setUp()
    const upload = await storeAll(storage, testManifest(), bytes)
    await utimes(join(directory, 'uploads', upload.manifest.id), old, old)
    const id = randomUUID()
    await leave(`uploads/${id}/manifest.json`, JSON.stringify({ version: 2, id }))
    await storage.sweep(Date.now())
    expect((await mustLoad(storage, upload.manifest.id)).ledger.run).toBe(3)
    await expect(storage.load(id)).rejects.toThrow(/version/)
    await stat(join(directory, 'uploads', id))
  })
})

describe('discarding', () => {
  it('deletes the bytes of an upload in the middle', async () => {
    const { storage, names } = await setUp()
    const manifest = testManifest()
    await storage.create(manifest)
    await putChunk(storage, await mustLoad(storage, manifest.id), bytes, 0)
    await storage.record(manifest.id, { type: 'ended', status: 'expired', at: 1 })
    await storage.discard(await mustLoad(storage, manifest.id))
    expect((await names(`uploads/${manifest.id}`)).toSorted()).toEqual(['journal', 'manifest.json'])
  })

  it('refuses where the end is not recorded', async () => {
    const { storage } = await setUp()
    const done = await complete(storage, await storeAll(storage, testManifest(), bytes))
    await expect(storage.discard({ ...done, status: 'cancelled' })).rejects.toMatchObject({ code: 'INTERNAL' })
    const stream = await storage.openFile(done.manifest.fileId, 0, 1)
    stream.destroy()
  })

  it('deletes nothing for an upload there is no record of', async () => {
    const { storage, directory, leave } = await setUp()
    const done = await complete(storage, await storeAll(storage, testManifest(), bytes))
    await leave(`files/${done.manifest.fileId}.json`)
    await storage.forget(done.manifest.id)
    await storage.discard({ ...done, status: 'cancelled' })
    expect(await readFile(join(directory, 'files', done.manifest.fileId))).toEqual(bytes)
  })
})
