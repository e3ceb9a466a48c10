import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { mortalFolder, removeFolder, startMortal } from '../support/services/mortal-process.ts'
import type { S3Service } from '../support/services/s3-service.ts'

/** What a server may keep its bytes in. */
export interface Place {
  /** An empty folder. */
  readonly folder: string
  /** A bucket of its own, where the run is one on S3. */
  readonly s3?: S3Service & { readonly bucket: string }
}

/** A server that runs, in processes of its own. */
export interface Running {
  /** Scheme, host and port. */
  readonly url: string
  /** Its processes, but for their children. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** What is measured. */
export interface Subject {
  start(place: Place): Promise<Running>
}

const READY_MS = 30_000

/** Starts a program, and waits until it says where it listens: on `port`, where that is known. */
export async function startProgram(
  command: readonly string[],
  variables: Readonly<Record<string, string>> = {},
  port?: number,
): Promise<Running> {
  const folder = await mortalFolder('bench-log')
  const { PATH = '', HOME = '', TMPDIR } = process.env
  const env = { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...variables }
  const server = startMortal(command, join(folder, 'log'), env)
  const stop = async (): Promise<void> => {
    await server.kill()
    await removeFolder(folder)
  }
  const address = new RegExp(`http://127\\.0\\.0\\.1:${port ?? '\\d+'}`)
  const end = Date.now() + READY_MS
  while (server.running() && Date.now() < end) {
    const url = address.exec(server.lastWords())?.[0]
    if (url !== undefined) return { url, pids: [server.pid], stop }
    await delay(20)
  }
  const words = server.lastWords()
  await stop()
  throw new Error(`${command.join(' ')} does not start:\n${words}`)
}

/** What the SDK and all its kin take an S3 from. */
export function s3Variables({ region, credentials }: S3Service): Readonly<Record<string, string>> {
  return {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
}
