import { createHash, randomUUID } from 'node:crypto'
import { truncate, writeFile } from 'node:fs/promises'
import { chunkLength } from '../../src/grid.ts'
import { nodeFiles } from '../../src/storage/file/file-layer.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { encodeLines, type StoredChange } from '../../src/storage/file/journal-format.ts'
import { Layout } from '../../src/storage/file/layout.ts'
import { readBootId } from '../../src/storage/file/machine.ts'

const MIB = 1024 ** 2
const CHUNK = 5 * MIB
const MAX_CHUNKS = 10_000

/** An upload that a server will find. */
export interface PreparedUpload {
  readonly upload: string
  /** Bytes of the file. */
  readonly bytes: number
  /** Bytes of a chunk. */
  readonly chunk: number
}

/**
 * Leaves in a DATA_DIR what a server leaves that has taken all chunks of a file but the last, all of them zeros: its data is
 * a hole, so that a large file takes no room. The server that is started there finds it as it would after a restart.
 */
export async function prepareUpload(directory: string, size: number): Promise<PreparedUpload> {
  const storage = new FileStorage({ directory, fsync: 'off' })
  const chunkSize = Math.max(CHUNK, Math.ceil(size / MAX_CHUNKS / MIB) * MIB)
  const [id, at, grid] = [randomUUID(), Date.now(), { chunkSize, size }]
  await storage.open()
  await storage.create({
    version: 1,
    id,
    fileId: randomUUID(),
    owner: null,
    fileName: 'sparse.bin',
    contentType: 'application/octet-stream',
    metadata: {},
    attributes: {},
    chunkSize,
    size,
    checksum: null,
    createdAt: at,
  })
  await storage.close()

  const sha256 = createHash('sha256').update(Buffer.alloc(chunkSize)).digest('hex')
  const last = Math.ceil(size / chunkSize) - 1
  const changes = Array.from(
    { length: last },
    (_, number): StoredChange => ({ type: 'chunk', entry: { number, size: chunkSize, sha256, at } }),
  )
  const layout = new Layout(directory)
  const header = { v: 1, id, boot: await readBootId(nodeFiles) } as const
  await writeFile(layout.journal(id), encodeLines([header, ...changes]))
  await writeFile(layout.data(id), '')
  await truncate(layout.data(id), size - chunkLength(grid, last))
  return { upload: id, bytes: size, chunk: chunkSize }
}
