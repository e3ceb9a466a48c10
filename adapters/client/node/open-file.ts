import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { UploadSource } from '../source.ts'

/** A file that is open. */
export interface OpenedFile extends UploadSource {
  readonly name: string
  readonly lastModified: number
  close(): Promise<void>
}

/**
 * Opens a file for uploading. It is read chunk by chunk, whatever its size. (`fs.openAsBlob` of Node 20 loses what is
 * beyond 4 GiB.) A file that is changed meanwhile cannot be read any more.
 * @throws the system's error where it cannot be opened; TypeError where it is no file
 */
export async function openFile(path: string, options: { readonly type?: string } = {}): Promise<OpenedFile> {
  const handle = await open(path)
  const stat = await handle.stat()
  if (!stat.isFile()) {
    await handle.close()
    throw new TypeError('it is no file')
  }
  const { size, mtimeMs } = stat
  const read = async (start: number, end: number): Promise<ArrayBuffer> => {
    const bytes = await readFully(handle, start, end)
    const now = await handle.stat()
    if (now.mtimeMs !== mtimeMs || now.size !== size) throw new Error(`${path} was changed while it was uploaded`)
    return bytes
  }
  return {
    name: basename(path),
    size,
    type: options.type ?? '',
    lastModified: Math.floor(mtimeMs),
    slice: (start, end) => ({ arrayBuffer: () => read(start, end) }),
    close: () => handle.close(),
  }
}

async function readFully(handle: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(0, end - start))
  let filled = 0
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled === bytes.length ? bytes.buffer : bytes.buffer.slice(0, filled)
}
