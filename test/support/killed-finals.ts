import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { bytesOf, type Random, sha256Of } from './byte-source.ts'
import { concatenate, createPart } from './concatenation.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'
import { s3Service } from './services/s3.ts'
import { encodeMetadata, type TusAnswer, TusClient } from './tus-client.ts'

const MIB = 1024 * 1024
/** Bytes of the partial uploads: none of them but the third ends where a chunk does. */
const SIZES = [1, 5 * MIB - 1, 5 * MIB, 12 * MIB] as const
/** How long a killed node's locks may be in the way, and then some, ms. */
const PATIENCE_MS = 45_000

/** Where servers keep what outlives them. */
export interface FinalsPlace {
  readonly dataDir: string
  readonly variables: Readonly<Record<string, string>>
  /** The bucket, where it is not the directory. */
  readonly bucket: string | null
}

/** A final that is asked for until it stands. */
interface Wanted {
  readonly parts: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  readonly sha256: string
}

/** Servers that are killed while they make files of partial uploads, one after the other. */
export class KilledFinals {
  /** Kills before the answer, when the final was in storage already. */
  caught = 0
  /** Kills before the answer that left no final. */
  before = 0
  /** Finals that HEAD was asked for before the request was repeated. */
  heads = 0
  readonly #place: FinalsPlace
  readonly #random: Random
  readonly #parts: { readonly path: string; readonly bytes: Buffer }[] = []
  #server: ServerProcess | null = null
  #longestMs = 0
  #names = 0

  constructor(place: FinalsPlace, random: Random) {
    this.#place = place
    this.#random = random
  }

  get #client(): TusClient {
    if (this.#server === null) throw new Error('There is no server.')
    return new TusClient(this.#server.url)
  }

  output(): string {
    return this.#server?.output() ?? ''
  }

  /** Uploads the parts, and makes one file of them undisturbed, which says how long that takes. */
  async begin(seed: number): Promise<void> {
    await this.#start()
    for (const [n, size] of SIZES.entries()) {
      const bytes = bytesOf(seed + n, size)
      this.#parts.push({ bytes, path: await createPart(this.#client, bytes) })
    }
    const wanted = this.#next()
    const begun = performance.now()
    await concatenate(this.#client, wanted.parts, wanted.headers)
    this.#longestMs = performance.now() - begun
    await this.#stands(wanted)
  }

  /** Kills the server while it makes a file, once or more often; then the file must be there, once. */
  async round(): Promise<void> {
    const wanted = this.#next()
    const before = await this.#uploadIds()
    let made: string[] = []
    for (let kills = this.#random.int(1, 2); kills > 0; kills -= 1) {
      const isAnswered = await this.#killed(wanted)
      await this.#start()
      made = (await this.#uploadIds()).filter((id) => !before.includes(id))
      expect(made.length).toBeLessThanOrEqual(1)
      if (isAnswered) expect(made).toHaveLength(1)
      else if (made.length === 1) this.caught += 1
      else this.before += 1
    }
    const [id] = made
    if (id !== undefined && this.#random.chance(0.5)) await this.#headDrives(`/files/${id}`, wanted)
    const path = await this.#stands(wanted)
    const after = (await this.#uploadIds()).filter((one) => !before.includes(one))
    expect(after).toEqual([path.split('/').at(-1)])
    if (id !== undefined) expect(after).toEqual([id])
  }

  /** How many files there are. */
  async files(): Promise<number> {
    const { bucket, dataDir } = this.#place
    if (bucket !== null) return (await keysIn(bucket)).filter((key) => key.startsWith('holdfast/files/')).length
    return (await readdir(join(dataDir, 'files'))).filter((name) => !name.includes('.')).length
  }

  async end(): Promise<number | null> {
    return (await this.#server?.kill('SIGTERM')) ?? null
  }

  async leave(): Promise<void> {
    await this.#server?.kill()
  }

  async #start(): Promise<void> {
    this.#server = await startServerProcess(this.#place.dataDir, this.#place.variables)
  }

  /** Parts in another order, some twice, under a name that no other file has. */
  #next(): Wanted {
    const all = this.#random.shuffle(this.#parts)
    const chosen = this.#random.chance(0.3) ? [...all, this.#random.pick([all[0] ?? fail(), all[1] ?? fail()])] : all
    this.#names += 1
    return {
      parts: chosen.map(({ path }) => path),
      headers: { 'Upload-Metadata': encodeMetadata({ filename: `file ${this.#names}` }) },
      sha256: sha256Of(Buffer.concat(chosen.map(({ bytes }) => bytes))),
    }
  }

  /** Asks for the file and kills the server meanwhile; whether it was faster than that. */
  async #killed({ parts, headers }: Wanted): Promise<boolean> {
    const server = this.#server
    const asked = concatenate(this.#client, parts, headers).then(
      ({ status }) => status,
      () => null,
    )
    await delay(this.#random.int(0, Math.ceil(this.#longestMs)))
    await server?.kill()
    const status = await asked
    // It is told 423 while the locks of a server that was killed before stand.
    expect([201, 423, null]).toContain(status)
    return status === 201
  }

  /** A HEAD makes what is left of it, without the request for it. */
  async #headDrives(path: string, { parts }: Wanted): Promise<void> {
    this.heads += 1
    const head = await this.#patiently(
      () => this.#client.head(path),
      ({ status, headers }) => status === 200 && headers['upload-offset'] !== undefined,
    )
    expect(head.headers['upload-offset']).toBe(head.headers['upload-length'])
    expect(head.headers['upload-concat']).toBe(`final;${parts.join(' ')}`)
  }

  /** The same request is answered with the file, and again with the same; its path. */
  async #stands({ parts, headers, sha256 }: Wanted): Promise<string> {
    const client = this.#client
    const answer = await this.#patiently(
      () => concatenate(client, parts, headers),
      ({ status }) => status !== 423,
    )
    expect([answer.status, answer.body.toString()]).toEqual([201, ''])
    const path = client.locationOf(answer)
    const file = await client.request('GET', path)
    expect([file.status, sha256Of(file.body)]).toEqual([200, sha256])
    const again = await concatenate(client, parts, headers)
    expect([again.status, client.locationOf(again)]).toEqual([201, path])
    return path
  }

  async #patiently(ask: () => Promise<TusAnswer>, isEnough: (answer: TusAnswer) => boolean): Promise<TusAnswer> {
    const until = performance.now() + PATIENCE_MS
    for (;;) {
      const answer = await ask()
      if (isEnough(answer) || performance.now() > until) return answer
      await delay(100)
    }
  }

  async #uploadIds(): Promise<string[]> {
    const { bucket, dataDir } = this.#place
    if (bucket === null) return (await readdir(join(dataDir, 'uploads'))).filter((name) => !name.startsWith('.'))
    const found = (await keysIn(bucket)).map((key) => /^holdfast\/uploads\/([^/]+)\/manifest$/.exec(key)?.[1])
    return found.flatMap((id) => id ?? [])
  }
}

function fail(): never {
  throw new Error('There are no parts.')
}

async function keysIn(bucket: string): Promise<string[]> {
  const client = new S3Client(s3Service())
  const { Contents = [], IsTruncated } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  client.destroy()
  if (IsTruncated === true) throw new Error('There are more objects than one listing tells.')
  return Contents.map(({ Key = '' }) => Key)
}
