import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MIB } from '../../../../src/grid.ts'
import { FileStorage, type Fsync } from '../../../../src/storage/file/index.ts'
import { Disk } from '../../../../src/storage/file/disk.ts'
import { Layout } from '../../../../src/storage/file/layout.ts'
import { UploadFolder } from '../../../../src/storage/file/upload-folder.ts'
import { FaultyFiles, systemError } from '../../../support/faulty-files.ts'
import { entryOf, mustLoad, testManifest } from '../../../support/storage-suite.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const size = 130 * MIB
const bytes = Buffer.alloc(size, 0x5a)

async function setUp(fsync: Fsync) {
  const directory = await tempDir()
  const files = new FaultyFiles()
  const storage = new FileStorage({ directory, layer: files, fsync })
  await storage.open()
  onTestFinished(() => storage.close())
  const manifest = testManifest({ chunkSize: size, size })
  await storage.create(manifest)
  const upload = await mustLoad(storage, manifest.id)
  const data = join(directory, 'uploads', manifest.id, 'data')
  const write = async () => {
    const writer = await storage.beginChunk(upload, 0, 0)
    for (let at = 0; at < size; at += MIB) await writer.write([bytes.subarray(at, at + MIB)])
    await writer.finish(entryOf(0, bytes))
    await expect.poll(() => files.openHandles).toBe(0)
  }
  return { files, storage, manifest, data, write }
}

describe('bytes that will be synced at the end', () => {
  it('are sent to the disk on the way', async () => {
    const { files, data, write } = await setUp('complete')
    await write()
    expect(files.count('datasync', data)).toBeGreaterThan(0)
  })

  it('are left to the system where nothing is ever synced', async () => {
    const { files, data, write } = await setUp('off')
    await write()
    expect(files.count('datasync', data)).toBe(0)
  })

  it('are doubtful when the disk fails on the way, though the last sync succeeds', async () => {
    const { files, storage, manifest, data, write } = await setUp('complete')
    let failures = 1
    files.fault = ({ name, path }) => {
      if (name !== 'datasync' || path !== data || failures === 0) return undefined
      failures -= 1
      return systemError('EIO')
    }
    await write()
    expect(failures).toBe(0)
    // What the system could not write is gone, and it says so to the first fsync only.
    const handle = await open(data, 'r+')
    await handle.write(Buffer.alloc(1), 0, 1, 7)
    await handle.close()
    const missing = { code: 'CHUNKS_MISSING', details: { missing: [[0, 0]] } }
    await expect(storage.record(manifest.id, { type: 'completing' })).rejects.toMatchObject(missing)
  })
})

describe('an upload’s folder', () => {
  it('knows whether the bytes are synced, and nothing was written or doubted since', async () => {
    const files = new FaultyFiles()
    const directory = await tempDir()
    const disk = new Disk(files, new Layout(directory), 'complete', 'a boot')
    const folder = new UploadFolder(disk, testManifest().id)
    const handle = await files.open(join(directory, 'data'), 'w')
    onTestFinished(() => handle.close())
    folder.wrote(1)
    expect(folder.synced).toBe(false)
    await folder.sync(handle)
    expect(folder.synced).toBe(true)
    folder.wrote(1)
    expect(folder.synced).toBe(false)
    const syncing = folder.sync(handle)
    folder.wrote(1)
    await syncing
    expect(folder.synced).toBe(false)

    await folder.sync(handle)
    await folder.distrust()
    expect(folder.synced).toBe(false)
  })
})
