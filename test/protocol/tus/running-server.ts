import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { UploadsOptions } from '../../../src/index.ts'
import { type ServedUploads, serveUploads } from '../../support/served-uploads.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { TusClient } from '../../support/tus-client.ts'

/** A server that runs while the tests of one file do. */
export interface RunningServer {
  /** Scheme, host and port. */
  readonly url: string
  readonly client: TusClient
  readonly dataDir: string
  /** What it has written to standard output and standard error. */
  output(): string
  /** Ids of the uploads that have a folder on its disk. */
  uploadIds(): Promise<string[]>
  /** Bytes of the finished file of an upload as they lie on its disk, or null where there is none. */
  fileOf(path: string): Promise<Buffer | null>
  /** How many bytes of an unfinished upload lie on its disk, acknowledged or not. */
  received(path: string): Promise<number>
}

/** Bytes of a chunk on the servers of these tests: small, so that a body of little size crosses many. */
export const CHUNK = 64 * 1024

/** Starts a server before the tests of this file, and ends it after them. */
export function useServer(variables: Readonly<Record<string, string>> = {}): RunningServer {
  let server: ServerProcess
  let dataDir: string

  beforeAll(async () => {
    dataDir = await makeTempDir()
    server = await startServerProcess(dataDir, { CHUNK_SIZE: String(CHUNK), ...variables })
  })

  afterAll(async () => {
    await server.kill()
    await rm(dataDir, { recursive: true, force: true })
  })

  return running(
    () => server.url,
    () => dataDir,
    () => server.output(),
  )
}

/** The same in this process, on `node:http` without Fastify. */
export function useNodeServer(options: Partial<UploadsOptions> = {}): RunningServer {
  let server: ServedUploads
  let dataDir: string

  beforeAll(async () => {
    dataDir = await makeTempDir()
    server = await serveUploads({ directory: dataDir }, { chunkSize: CHUNK, ...options })
  })

  afterAll(async () => {
    await server.close()
    await rm(dataDir, { recursive: true, force: true })
  })

  return running(
    () => server.wire.url,
    () => dataDir,
    () => server.troubles.map(String).join('\n'),
  )
}

function running(url: () => string, directory: () => string, output: () => string): RunningServer {
  return {
    get url() {
      return url()
    },
    get client() {
      return new TusClient(url())
    },
    get dataDir() {
      return directory()
    },
    output,
    uploadIds: async () => (await readdir(join(directory(), 'uploads'))).filter((name) => !name.startsWith('.')),
    fileOf: (path) => readFinished(directory(), idOf(path)),
    received: (path) => sizeOf(join(directory(), 'uploads', idOf(path), 'data')),
  }
}

/** The id of the upload at a path, or an address. */
export function idOf(path: string): string {
  return path.split('/').at(-1) ?? ''
}

async function readFinished(dataDir: string, uploadId: string): Promise<Buffer | null> {
  const folder = join(dataDir, 'files')
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.json') || name.startsWith('.')) continue
    const record: unknown = JSON.parse(await readFile(join(folder, name), 'utf8'))
    const { id, uploadId: maker } = record as { readonly id: string; readonly uploadId: string }
    if (maker === uploadId) return readFile(join(folder, id))
  }
  return null
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}
