import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FileStorage, inspectUpload } from '../../../../src/storage/file/index.ts'
import { decodeJournal, encodeLines } from '../../../../src/storage/file/journal-format.ts'
import {
  mustLoad,
  putChunk,
  storeAll,
  complete,
  tailOf,
  testBytes,
  testManifest,
} from '../../../support/storage-suite.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const bytes = testBytes(250)

/** A directory with an upload of chunk 1 and a tail of 20 bytes in chunk 0, and its owner. */
async function setUp() {
  const directory = await tempDir()
  const storage = new FileStorage({ directory })
  await storage.open()
  const manifest = testManifest()
  await storage.create(manifest)
  const upload = await mustLoad(storage, manifest.id)
  await putChunk(storage, upload, bytes, 1)
  const folder = join(directory, 'uploads', manifest.id)
  await appendFile(join(folder, 'journal'), encodeLines([{ type: 'tail', tail: tailOf(0, bytes.subarray(0, 20)) }]))
  return { directory, storage, manifest, folder }
}

/** Every file below a directory, with its content and its times. */
async function snapshot(directory: string): Promise<readonly unknown[]> {
  const names = await readdir(directory, { recursive: true })
  const files = names.toSorted().map(async (name) => {
    const facts = await stat(join(directory, name))
    // The owner touches its file every second.
    const mtimeMs = name === 'owner.json' ? 0 : facts.mtimeMs
    return {
      name,
      mtimeMs,
      ino: facts.ino,
      content: facts.isFile() ? await readFile(join(directory, name), 'hex') : '',
    }
  })
  return Promise.all(files)
}

describe('inspectUpload', () => {
  test('reads an upload while a server owns it, and changes nothing', async () => {
    const { directory, storage, manifest, folder } = await setUp()
    const before = await snapshot(directory)
    const inspection = await inspectUpload(directory, manifest.id)
    expect(inspection).toMatchObject({
      id: manifest.id,
      status: 'uploading',
      manifest,
      totalChunks: 3,
      durableBytes: 120,
      offset: 20,
      ranges: [[1, 1]],
      chunks: [{ number: 1, size: 100 }],
      tail: { number: 0, size: 20 },
      missing: [
        [0, 0],
        [2, 2],
      ],
      journal: { path: join(folder, 'journal'), lines: 3, tornBytes: 0, trusted: true },
      data: { path: join(folder, 'data'), bytes: 200 },
      file: null,
      record: null,
      owner: { pid: process.pid, draining: false, running: true },
    })
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection)
    expect(await snapshot(directory)).toEqual(before)
    await storage.close()
    expect((await inspectUpload(directory, manifest.id))?.owner).toBeNull()
  })

  test('leaves a torn line where it is', async () => {
    const { directory, storage, manifest, folder } = await setUp()
    await storage.close()
    await appendFile(join(folder, 'journal'), '000000ff 12345678 {"type":')
    const before = await snapshot(directory)
    const inspection = await inspectUpload(directory, manifest.id)
    expect(inspection?.journal).toMatchObject({ lines: 3, tornBytes: 26 })
    expect(inspection?.offset).toBe(20)
    expect(await snapshot(directory)).toEqual(before)
  })

  test.each(['another boot', ''])('says where bytes are not trusted: boot %j', async (boot) => {
    const { directory, storage, manifest, folder } = await setUp()
    await storage.close()
    const { changes } = decodeJournal(await readFile(join(folder, 'journal')))
    await writeFile(join(folder, 'journal'), encodeLines([{ v: 1, id: manifest.id, boot }, ...changes]))
    const before = await snapshot(directory)
    expect((await inspectUpload(directory, manifest.id))?.journal).toMatchObject({ trusted: false })
    expect(await snapshot(directory)).toEqual(before)
  })

  test('finds a finished file by either id', async () => {
    const { directory, storage } = await setUp()
    const manifest = testManifest()
    const { id, fileId, owner, contentType, metadata, fileName: name } = manifest
    await complete(storage, await storeAll(storage, manifest, bytes))
    const record = {
      id: fileId,
      uploadId: id,
      owner,
      name,
      size: 250,
      contentType,
      metadata,
      uploadedAt: 1,
      checksum: null,
    }
    await storage.files.put(record)
    const inspection = await inspectUpload(directory, id)
    expect(inspection).toMatchObject({ id, status: 'uploaded', missing: [], data: null, file: { bytes: 250 }, record })
    expect(inspection?.ranges).toEqual([[0, 2]])
    expect(await inspectUpload(directory, fileId)).toEqual(inspection)
    await storage.close()
  })

  test('knows neither strangers nor what is no id', async () => {
    const { directory, storage, manifest } = await setUp()
    await storage.close()
    expect(await inspectUpload(directory, '00000000-0000-4000-8000-000000000000')).toBeNull()
    expect(await inspectUpload(directory, `../uploads/${manifest.id}`)).toBeNull()
    expect(await inspectUpload(join(directory, 'nowhere'), manifest.id)).toBeNull()
  })

  test('says in one line what cannot be read', async () => {
    const { directory, storage, manifest, folder } = await setUp()
    await storage.close()
    await writeFile(join(folder, 'manifest.json'), '{"ver')
    await expect(inspectUpload(directory, manifest.id)).rejects.toThrow(/manifest\.json holds no manifest/)
  })
})
