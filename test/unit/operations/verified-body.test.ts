import { createHash } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Bodies } from '../../../src/body/bodies.ts'
import { Holds } from '../../../src/body/holds.ts'
import { MemoryBudget } from '../../../src/body/memory-budget.ts'
import type { Checksum, DeclaredChecksums } from '../../../src/checksum/body-checksum.ts'
import { UploadError } from '../../../src/errors.ts'
import { append } from '../../../src/operations/append.ts'
import { create } from '../../../src/operations/create.ts'
import { createContext } from '../../../src/operations/create-context.ts'
import { progress } from '../../../src/operations/progress.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { CALLER, chunks } from './opened-uploads.ts'

const MIB = 1024 * 1024

/** Uploads of chunks of 100 bytes, and the budgets their bodies are received with. */
async function open(memory = MIB) {
  const options = { storage: new FileStorage({ directory: await tempDir() }), chunkSize: 100, idleTimeoutMs: 200 }
  const made = createContext(options)
  await made.storage.open()
  const budget = new MemoryBudget(4 * MIB)
  const holds = new Holds({ memory, spool: 1000, spoolDirectory: await tempDir(), lender: budget })
  const context = { ...made, bodies: new Bodies({ idleTimeoutMs: 200 }, budget, holds) }
  onTestFinished(async () => {
    await context.bodies.settled()
    await made.storage.close()
  })
  const { manifest } = await create(context, { fileName: 'a', fileSize: 500 }, CALLER)
  const { id } = manifest
  const send = (body: Readable, checksums: DeclaredChecksums, contentLength: number | null = null) =>
    append(context, id, { offset: 0, body, contentLength, checksums }, CALLER)
  /** What must be left when a body is through. */
  const atRest = async () => ({
    reserved: holds.reserved,
    waiting: holds.waiting,
    places: budget.places,
    // All of it can be lent: nothing is.
    spare: budget.lend(4 * MIB) && (budget.giveBack(4 * MIB), true),
    uploadedBytes: (await progress(context, id, CALLER)).uploadedBytes,
  })
  return { context, id, holds, budget, send, atRest }
}

const AT_REST = { reserved: { memory: 0, files: 0 }, waiting: 0, places: 0, spare: true }
const body = chunks(5)
const sha1 = (bytes: Buffer): Checksum => ({ algorithm: 'sha1', digest: createHash('sha1').update(bytes).digest() })
const right: DeclaredChecksums = { before: [sha1(body)], after: null }
const wrong: DeclaredChecksums = { before: [sha1(chunks(4))], after: null }
const late = (checksum: Checksum): DeclaredChecksums => ({ before: [], after: () => [checksum] })

/** A body of so many bytes that does not end. */
function openBody(bytes: number): PassThrough {
  const stream = new PassThrough()
  stream.write(body.subarray(0, bytes))
  return stream
}

describe.each([
  ['memory', MIB],
  ['a file', 0],
])('a body with a checksum that is held in %s', (_where, memory) => {
  it.each([
    ['with its length', right, 500],
    ['of unknown length', right, null],
    ['with its checksum behind it', late(sha1(body)), null],
  ])('is appended when it is verified, and leaves its room to others: one %s', async (_how, checksums, length) => {
    const { send, atRest } = await open(memory)
    const settled = await send(Readable.from([body.subarray(0, 130), body.subarray(130)]), checksums, length)
    expect(settled).toMatchObject({ offset: 500, upload: { status: 'uploaded' } })
    expect(await atRest()).toEqual({ ...AT_REST, uploadedBytes: 500 })
  })

  const refused = new UploadError('INVALID_REQUEST')
  const throwing: DeclaredChecksums = {
    before: [],
    after: () => {
      throw refused
    },
  }
  it.each([
    ['is wrong', 'CHECKSUM_MISMATCH', wrong, 500],
    ['is wrong, of unknown length', 'CHECKSUM_MISMATCH', wrong, null],
    ['is wrong behind it', 'CHECKSUM_MISMATCH', late(sha1(chunks(3))), null],
    ['does not come behind it', 'INVALID_REQUEST', throwing, null],
  ])('leaves nothing, and its room to others, where that %s', async (_what, code, checksums, length) => {
    const { send, atRest } = await open(memory)
    await expect(send(Readable.from([body]), checksums, length)).rejects.toMatchObject({ code })
    expect(await atRest()).toEqual({ ...AT_REST, uploadedBytes: 0 })
  })

  it.each([
    ['is cut', 'UPLOAD_LOCKED', (stream: PassThrough) => void stream.destroy()],
    ['stalls', 'TIMEOUT', () => {}],
  ])('leaves nothing, and its room to others, when it %s', async (_what, code, then) => {
    const { send, atRest, holds } = await open(memory)
    const stream = openBody(330)
    const answer = send(stream, right, 500)
    answer.catch(() => {})
    await expect.poll(() => holds.reserved.memory + holds.reserved.files).toBe(500)
    await expect.poll(() => stream.readableLength).toBe(0)
    then(stream)
    await expect(answer).rejects.toMatchObject({ code })
    expect(await atRest()).toEqual({ ...AT_REST, uploadedBytes: 0 })
  })

  it('leaves nothing when the server shuts down before it is whole, and says so', async () => {
    const { context, send, holds, budget } = await open(memory)
    const stream = openBody(330)
    const answer = send(stream, right, 500)
    answer.catch(() => {})
    await expect.poll(() => stream.readableLength).toBe(0)
    context.bodies.drain()
    await expect(answer).rejects.toMatchObject({ code: 'DRAINING' })
    expect([holds.reserved, budget.places]).toEqual([{ memory: 0, files: 0 }, 0])
  })
})

it('holds no lock while a body with a checksum comes', async () => {
  const { context, id, send } = await open()
  const stream = openBody(330)
  const answer = send(stream, right, 500)
  await expect.poll(() => stream.readableLength).toBe(0)
  const whole = await context.state.locks.acquire(id, { scope: { kind: 'whole' }, waitMs: 0 })
  await whole.release()
  stream.end(body.subarray(330))
  expect(await answer).toMatchObject({ offset: 500 })
})

it('refuses a body that can never be held before it asks for a byte, and one that comes to that with nothing kept', async () => {
  const { context, atRest } = await open(0)
  const { manifest } = await create(context, { fileName: 'b', fileSize: 5000 }, CALLER)
  for (const contentLength of [1001, null]) {
    const stream = new PassThrough()
    stream.end(Buffer.alloc(1001))
    const input = { offset: 0, body: stream, contentLength, checksums: right }
    const answer = append(context, manifest.id, input, CALLER)
    await expect(answer).rejects.toMatchObject({ code: 'BODY_TOO_LARGE', status_code: 413, details: { max: 1000 } })
  }
  expect(await progress(context, manifest.id, CALLER)).toMatchObject({ uploadedBytes: 0 })
  expect(await atRest()).toEqual({ ...AT_REST, uploadedBytes: 0 })
})
