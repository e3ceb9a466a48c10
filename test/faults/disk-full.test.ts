import { execFile } from 'node:child_process'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FaultLayer, type LayerCall } from '../support/fault-layer.ts'
import { type ServedUploads, serveUploads } from '../support/served-uploads.ts'
import { startServerProcess } from '../support/server-process.ts'
import {
  SMALL_UPLOADS,
  type SmallFile,
  SmallJsonUpload,
  SmallTusUpload,
  type SmallUpload,
} from '../support/small-uploads.ts'
import { tempDir } from '../support/temp-dir.ts'
import { codeOf, JsonDriver, TusDriver, UnexpectedAnswer } from '../support/upload-drivers.ts'
import { Wire } from '../support/http-wire.ts'

const KIB = 1024
const MIB = 1024 * KIB
const FILE: SmallFile = { seed: 21, size: 300_000, chunkSize: 64 * KIB }

/** What no longer finds room: calls of one name, on paths of an upload like this. */
interface Full {
  readonly name: LayerCall['name']
  readonly path: RegExp
}

const WHILE_SENDING: readonly (readonly [string, Full])[] = [
  ['its bytes', { name: 'writev', path: /\/data$/ }],
  ['its data file', { name: 'open', path: /\/data$/ }],
  ['the journal', { name: 'writev', path: /\/journal$/ }],
]

const WHILE_COMPLETING: readonly (readonly [string, Full])[] = [
  ['the journal', { name: 'writev', path: /\/journal$/ }],
  ['the move of the file', { name: 'rename', path: /\/data$/ }],
  ['the record of the file', { name: 'writev', path: /\/files\/.*\.(?:json|tmp)$/ }],
  ['the folder of files', { name: 'sync', path: /\/files$/ }],
]

const WHILE_CREATING: readonly (readonly [string, Full])[] = [
  ['the folder', { name: 'mkdir', path: /$/ }],
  ['the manifest', { name: 'writev', path: /\/manifest\.json$/ }],
  ['the journal', { name: 'open', path: /\/journal$/ }],
]

/** A server whose disk can be made full, for one upload or for all. */
async function serveFull(): Promise<
  ServedUploads & { readonly directory: string; fill(full: Full, id?: string): void; empty(): void }
> {
  const directory = await tempDir()
  const layer = new FaultLayer()
  const served = await serveUploads({ directory, layer }, { chunkSize: FILE.chunkSize })
  onTestFinished(() => served.close())
  return {
    ...served,
    directory,
    fill: ({ name, path }, id = '') => {
      layer.plan = (call) => {
        const hit =
          call.name === name &&
          path.test(call.path) &&
          // In the folder of files nothing has the upload's id.
          (call.path.includes(id) || call.path.includes('/files'))
        return hit ? { when: 'before', code: 'ENOSPC' } : null
      }
    },
    empty: () => {
      layer.plan = () => null
    },
  }
}

/** The answer to a request that must fail. */
async function refused(request: Promise<unknown>): Promise<UnexpectedAnswer['answer']> {
  try {
    await request
  } catch (error) {
    if (error instanceof UnexpectedAnswer) return error.answer
    throw error
  }
  throw new Error('The request was served.')
}

/** Sends what is missing and completes. */
async function finish(wire: Wire, upload: SmallUpload, directory: string): Promise<void> {
  while (!upload.isSent) await upload.step(wire)
  const fileId = await upload.complete(wire)
  expect((await readFile(join(directory, 'files', fileId))).equals(upload.bytes)).toBe(true)
}

describe.each(SMALL_UPLOADS)('a full disk, over %s', (face, Upload) => {
  it.each(WHILE_SENDING)('answers 507 where there is no room for %s, and goes on when there is', async (_, full) => {
    const served = await serveFull()
    const { wire, directory } = served
    const [upload, other] = [new Upload(FILE), new SmallJsonUpload({ ...FILE, seed: 22 })]
    await upload.begin(wire)
    if (full.name !== 'open') await upload.step(wire)
    await other.begin(wire)
    await other.step(wire)
    const before = upload.acknowledged

    served.fill(full, upload.id)
    const answer = await refused(upload.step(wire))
    expect(answer.status).toBe(507)
    if (face === 'JSON') expect(codeOf(answer)).toBe('STORAGE_FULL')
    await upload.check(wire)
    await finish(wire, other, directory)
    expect(upload.acknowledged).toBe(before)

    served.empty()
    await finish(wire, upload, directory)
    await upload.check(wire)
  })

  it.each(WHILE_COMPLETING)(
    'answers 507 where there is no room for %s, and completes when there is',
    async (_, full) => {
      const served = await serveFull()
      const { wire, directory } = served
      const [upload, other] = [new Upload(FILE), new SmallJsonUpload({ ...FILE, seed: 23 })]
      await upload.begin(wire)
      await other.begin(wire)
      if (upload instanceof SmallTusUpload) {
        // The last append completes the upload: it is the one without room.
        while (upload.acknowledged < FILE.size / 2) await upload.step(wire)
        served.fill(full, upload.id)
        const last = new TusDriver(wire).patch(
          upload.id,
          upload.acknowledged,
          upload.bytes.subarray(upload.acknowledged),
        )
        expect((await last).status).toBe(507)
        // A HEAD is never answered with what makes clients start over.
        const head = await new TusDriver(wire).head(upload.id)
        expect([200, 423]).toContain(head.status)
        if (head.status === 200) expect(Number(head.headers['upload-offset'])).toBeLessThan(FILE.size)
      } else {
        while (!upload.isSent) await upload.step(wire)
        served.fill(full, upload.id)
        const answer = await refused(upload.complete(wire))
        expect(answer.status).toBe(507)
        expect(codeOf(answer)).toBe('STORAGE_FULL')
      }
      expect((await upload.check(wire)).status).not.toBe('uploaded')
      await other.step(wire)

      served.empty()
      if (upload instanceof SmallTusUpload) upload.askAgain()
      await finish(wire, upload, directory)
      await finish(wire, other, directory)
      expect((await upload.check(wire)).status).toBe('uploaded')
    },
  )

  it.each(WHILE_CREATING)(
    'answers 507 to a creation without room for %s, and leaves nothing behind',
    async (_, full) => {
      const served = await serveFull()
      const { wire, directory } = served
      const other = new SmallTusUpload({ ...FILE, seed: 24 })
      await other.begin(wire)

      served.fill(full)
      const answer = await refused(new Upload(FILE).begin(wire))
      expect(answer.status).toBe(507)
      if (face === 'JSON') expect(codeOf(answer)).toBe('STORAGE_FULL')
      served.empty()
      expect(await readdir(join(directory, 'uploads'))).toEqual([other.id])

      const upload = new Upload(FILE)
      await upload.begin(wire)
      await finish(wire, upload, directory)
      await finish(wire, other, directory)
    },
  )
})

const run = promisify(execFile)

/** A file system of so many bytes, or why there can be none. */
async function mountSmall(bytes: number): Promise<{ readonly directory: string } | { readonly why: string }> {
  const directory = await tempDir()
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory])
  } catch (error) {
    return { why: error instanceof Error ? error.message.trim() : String(error) }
  }
  // Registered after the folder's removal, and so run before it.
  onTestFinished(async () => void (await run('umount', ['-l', directory])))
  return { directory }
}

describe('a file system that is full', () => {
  it('is told to the clients with 507, and costs nothing that was acknowledged', { timeout: 60_000 }, async () => {
    const mounted = await mountSmall(8 * MIB)
    if ('why' in mounted) {
      const note = 'NOT RUN: the disk-full test on a real small file system, as none could be mounted here'
      console.error(`\n${'!'.repeat(100)}\n${note}: ${mounted.why}\n${'!'.repeat(100)}\n`)
      return
    }
    const { directory } = mounted
    const server = await startServerProcess(directory, { CHUNK_SIZE: '256KiB' })
    onTestFinished(async () => void (await server.kill()))
    const wire = new Wire(server.url)
    onTestFinished(() => wire.close())
    const file = { size: 2 * MIB + 4321, chunkSize: 256 * KIB }
    const clients = [new SmallTusUpload({ ...file, seed: 31 }), new SmallJsonUpload({ ...file, seed: 32 })]
    for (const client of clients) {
      await client.begin(wire)
      await client.step(wire)
    }

    const ballast = join(directory, 'ballast')
    await fillUp(ballast)
    for (const client of clients) {
      // What is begun may fit into what is already there.
      const answer = await firstRefusal(client, wire)
      expect(answer.status).toBe(507)
      await client.check(wire)
    }
    const creation = await new JsonDriver(wire).initiate(10, 'late.bin', 256 * KIB)
    expect(creation.status).toBe(507)
    expect((await new TusDriver(wire).create(10, 'late.bin')).status).toBe(507)
    expect((await wire.send('GET', '/healthz')).status).toBe(200)

    // A kill while there is no room: the next process has to do without any, too.
    await server.kill()
    wire.close()
    const starved = await startServerProcess(directory, { CHUNK_SIZE: '256KiB' }).catch((error: unknown) =>
      String(error),
    )
    if (typeof starved === 'string') console.log(`a start on a full disk is refused: ${starved.split('\n').at(-1)}`)
    else await starved.kill()

    await rm(ballast)
    const again = await startServerProcess(directory, { CHUNK_SIZE: '256KiB' })
    onTestFinished(async () => void (await again.kill()))
    const roomy = new Wire(again.url)
    onTestFinished(() => roomy.close())
    for (const client of clients) {
      await client.check(roomy)
      await finish(roomy, client, directory)
    }
    expect(await again.kill('SIGTERM')).toBe(0)
  })

  it('goes on in the same process as soon as there is room', { timeout: 60_000 }, async () => {
    const mounted = await mountSmall(8 * MIB)
    if ('why' in mounted) {
      console.error(`NOT RUN: room that comes back on a real small file system: ${mounted.why}`)
      return
    }
    const { directory } = mounted
    const server = await startServerProcess(directory, { CHUNK_SIZE: '256KiB' })
    onTestFinished(async () => void (await server.kill()))
    const wire = new Wire(server.url)
    onTestFinished(() => wire.close())
    // Two of them fit, with a ballast they do not: the room ends in the midst of a body.
    const ballast = join(directory, 'ballast')
    await writeFile(ballast, Buffer.alloc(4 * MIB))
    const size = 3 * MIB + 77
    const [tus, json] = [
      new SmallTusUpload({ size, chunkSize: 256 * KIB, seed: 33 }),
      new SmallJsonUpload({ size, chunkSize: 256 * KIB, seed: 34 }),
    ]
    await tus.begin(wire)
    await json.begin(wire)
    const answers = await Promise.all([firstRefusal(tus, wire), firstRefusal(json, wire)])
    expect(answers.map(({ status }) => status)).toEqual([507, 507])
    await rm(ballast)
    for (const client of [tus, json]) {
      await client.check(wire)
      await finish(wire, client, directory)
    }
    expect(await server.kill('SIGTERM')).toBe(0)
  })
})

/** Makes requests until one is refused. */
async function firstRefusal(client: SmallUpload, wire: Wire): Promise<UnexpectedAnswer['answer']> {
  try {
    while (!client.isSent) await client.step(wire)
  } catch (error) {
    if (error instanceof UnexpectedAnswer) return error.answer
    throw error
  }
  throw new Error('All of it found room.')
}

/** Writes a file until the file system is full. */
async function fillUp(path: string): Promise<void> {
  for (let bytes = 64 * KIB; bytes >= 512; ) {
    try {
      await writeFile(path, Buffer.alloc(bytes), { flag: 'a' })
    } catch {
      bytes = Math.floor(bytes / 2)
    }
  }
}
