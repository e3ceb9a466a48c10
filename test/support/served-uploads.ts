import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads, type Uploads, type UploadsOptions } from '../../src/index.ts'
import { FileStorage, type FileStorageOptions } from '../../src/storage/file/index.ts'
import { Wire } from './http-wire.ts'

/** Both faces in this process, on a socket. */
export interface ServedUploads {
  readonly uploads: Uploads
  readonly wire: Wire
  /** What went wrong where no client waited, and what requests failed with on this side. */
  readonly troubles: unknown[]
  /** Closes connections, uploads and storage, as far as they go. */
  close(): Promise<void>
}

/** Serves uploads in a directory. */
export async function serveUploads(
  storage: FileStorageOptions,
  options: Partial<Omit<UploadsOptions, 'storage'>> = {},
): Promise<ServedUploads> {
  const troubles: unknown[] = []
  const uploads = createUploads({
    storage: new FileStorage(storage),
    onError: (error) => troubles.push(error),
    ...options,
  })
  await uploads.open()
  const server = createServer(holdfast({ uploads, onError: (error) => troubles.push(error) }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const wire = new Wire(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return {
    uploads,
    wire,
    troubles,
    close: async () => {
      wire.close()
      server.close()
      await uploads.close()
      server.closeAllConnections()
    },
  }
}
