import { readdir, readlink, rm } from 'node:fs/promises'
import { afterAll, beforeAll } from 'vitest'
import { type BeginParts, type FileAnswer, JsonClient } from '../../support/json-client.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { type TusAnswer, TusClient, type TusHeaders } from '../../support/tus-client.ts'

/** A finished file, and where it can be had. */
export interface FinishedFile {
  /** What complete answered. */
  readonly file: FileAnswer
  /** Address of its record. */
  readonly record: string
  /** Address of its bytes beside the JSON API. */
  readonly content: string
  /** Address of its upload on the tus face, which sends its bytes too. */
  readonly tus: string
}

/** A server of the file's own, with files on it. */
export interface DownloadServer {
  readonly url: string
  readonly dataDir: string
  readonly json: JsonClient
  readonly pid: number
  /** Sends a request without a body, as no tus client does. */
  request(method: string, path: string, headers?: TusHeaders): Promise<TusAnswer>
  /** Uploads a file and completes it. */
  finish(bytes: Buffer, parts?: Omit<BeginParts, 'fileSize'>): Promise<FinishedFile>
  /** How many descriptors the server has open. */
  descriptors(): Promise<number>
  /** How many of them are of a finished file's bytes. */
  descriptorsOf(finished: FinishedFile): Promise<number>
  /** Kills the server as a power cut would, and starts it anew. */
  restart(): Promise<void>
}

/** Starts a server before the tests of a file, and ends it after them. */
export function useDownloadServer(variables: Readonly<Record<string, string>> = {}): DownloadServer {
  let dataDir = ''
  let server: ServerProcess
  let json: JsonClient

  async function start(): Promise<void> {
    server = await startServerProcess(dataDir, variables)
    json = new JsonClient(server.url)
  }

  async function stop(): Promise<void> {
    json?.close()
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
    get url() {
      return server.url
    },
    get dataDir() {
      return dataDir
    },
    get json() {
      return json
    },
    get pid() {
      return server.pid
    },
    request: (method, path, headers = {}) =>
      new TusClient(server.url).request(method, path, { headers: { 'Tus-Resumable': undefined, ...headers } }),
    finish: async (bytes, parts = {}) => {
      const { id, fileId } = await json.filled(bytes, parts)
      const record = `/api/v1/files/${fileId}`
      return { file: await json.completed(id), record, content: `${record}/content`, tus: `/files/${id}` }
    },
    descriptors: async () => (await descriptorsOf(server.pid)).length,
    descriptorsOf: async ({ file }) =>
      (await descriptorsOf(server.pid)).filter((target) => target.endsWith(`/files/${file.id}`)).length,
    restart: async () => {
      await stop()
      await start()
    },
  }
}

/** What the descriptors of a process are of. */
async function descriptorsOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`
  // One that is closed while they are looked at is none any more.
  const targets = (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => null))
  return (await Promise.all(targets)).filter((target) => target !== null)
}
