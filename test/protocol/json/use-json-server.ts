import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, vi } from 'vitest'
import { JsonClient } from '../../support/json-client.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

/** A server of the file's own, with a client at it. */
export interface JsonServer {
  readonly client: JsonClient
  readonly dataDir: string
  readonly url: string
  /** Kills the server as a power cut would, and starts it anew over what it had stored. */
  restart(): Promise<void>
  /** Every file and folder there is of uploads, finished files and claims. */
  inventory(): Promise<readonly string[]>
  /** The bytes of a finished file, as they are on disk. */
  storedFile(fileId: string): Promise<Buffer>
  /** Resolves when the server holds bytes of an upload that it has acknowledged to nobody. */
  hasBegunToWrite(id: string): Promise<void>
}

/** Starts a server before the tests of a file, and ends it after them. */
export function useJsonServer(variables: Readonly<Record<string, string>> = {}): JsonServer {
  let dataDir = ''
  let server: ServerProcess
  let client: JsonClient

  async function start(): Promise<void> {
    server = await startServerProcess(dataDir, variables)
    client = new JsonClient(server.url)
  }

  async function stop(): Promise<void> {
    client?.close()
    await server?.kill()
  }

  beforeAll(async () => {
    dataDir = await makeTempDir()
    await start()
  })

  afterAll(async () => {
    await stop()
    await rm(dataDir, { recursive: true, force: true })
  })

  return {
    get client() {
      return client
    },
    get dataDir() {
      return dataDir
    },
    get url() {
      return server.url
    },
    restart: async () => {
      await stop()
      await start()
    },
    inventory: async () => {
      const folders = ['uploads', 'files', 'claims'].map(async (folder) => {
        const names = await readdir(join(dataDir, folder), { recursive: true })
        return names.map((name) => join(folder, name))
      })
      return (await Promise.all(folders)).flat().toSorted()
    },
    storedFile: (fileId) => readFile(join(dataDir, 'files', fileId)),
    hasBegunToWrite: async (id) => {
      const data = join(dataDir, 'uploads', id, 'data')
      await vi.waitUntil(
        async () => {
          const facts = await stat(data).catch(() => null)
          return facts !== null && facts.size > 0
        },
        { timeout: 10_000, interval: 10 },
      )
    },
  }
}
