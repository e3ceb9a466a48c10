import type { BodySource, LiveBody } from '../body/bodies.ts'
import { HeldBody, HeldReader } from '../body/held-body.ts'
import { BodyChecksums, verifyChecksums, type Checksum, type DeclaredChecksums } from '../checksum/body-checksum.ts'
import { UploadError } from '../errors.ts'
import type { Hold } from '../storage/storage.ts'
import { checkPlace, lockAppend, mostOf, tooLarge, type AppendInput } from './append-place.ts'
import type { Context } from './context.ts'
import { reserveAhead } from './quota.ts'

/** What is appended, and its end. */
export interface Appendable {
  readonly source: BodySource
  /** Frees what it is held in. */
  readonly drop: () => Promise<void>
}

/**
 * The body as it is to be appended: as it comes, or, where checksums are declared, as it was received, held and verified.
 *
 * Until then it stands nowhere but in memory and in files without a name, and no lock is held: killed, cut or found wrong,
 * it was never there, and meanwhile the upload is everybody's as before. Then it is appended under the lock *append*, as any
 * other body: *whole* would wait for slow chunks that have nothing to do with it, and in the end refuse what is here.
 *
 * @throws UploadError `CHECKSUM_MISMATCH`; `BODY_TOO_LARGE` where so much can never be held; what ends a body
 */
export async function appendable(
  context: Context,
  id: string,
  input: AppendInput,
  body: LiveBody,
): Promise<Appendable> {
  const { checksums } = input
  if (checksums === undefined) return { source: body, drop: async () => {} }
  const most = await checkBefore(context, id, input, body)
  const hold = await body.holdAll(input.contentLength)
  try {
    await receive(body, hold, input, checksums, most)
    return { source: new HeldBody(hold, body), drop: () => hold.drop() }
  } catch (error) {
    await hold.drop()
    throw error
  }
}

/**
 * Refuses before a byte is read what will not be taken: whoever is appending lets go first, as ever. Returns how many bytes
 * the file may have.
 */
async function checkBefore(context: Context, id: string, input: AppendInput, body: LiveBody): Promise<number> {
  // Held for a moment only: whoever asks for it has it at once, and the body is none the worse.
  const { lock, upload } = await lockAppend(context, id, { gone: body.gone, letGo: () => {}, stop: () => {} })
  try {
    const now = await checkPlace(context, upload, input)
    if ((input.contentLength ?? 0) > body.most) throw tooLargeToHold(body.most)
    if (input.contentLength !== null) await reserveAhead(context, now, input.offset + input.contentLength)
    return mostOf(context, now, input.declaredSize)
  } finally {
    await lock.release()
  }
}

/** Receives a body to its end, and verifies it. */
async function receive(body: LiveBody, hold: Hold, input: AppendInput, declared: DeclaredChecksums, most: number) {
  const { reader } = body
  const { before, after } = declared
  const sums = new BodyChecksums(before.map(({ algorithm }) => algorithm))
  for (;;) {
    const buffers = await reader.next(Infinity)
    if (buffers === null) break
    const size = buffers.reduce((sum, { length }) => sum + length, hold.size)
    if (input.offset + size > most) throw tooLarge(most)
    if (size > body.most) throw tooLargeToHold(body.most)
    sums.update(buffers)
    await hold.append(buffers)
  }
  // "Once the entire request has been received, the Server MUST verify the uploaded chunk against the provided checksum"
  // (tus 1.0.0, checksum): what did not come whole cannot be verified, and what is not verified is not kept, in spite of
  // "the Server SHOULD always attempt to store as much of the received data as possible" (core protocol).
  if (reader.end !== 'complete') throw notWhole(body)
  verifyChecksums(before, (algorithm) => sums.digest(algorithm))
  // Trailers say only now of which algorithm they are: what is held is read once more.
  if (after !== null) await verifyHeld(hold, after())
}

async function verifyHeld(hold: Hold, declared: readonly Checksum[]): Promise<void> {
  const sums = new BodyChecksums(declared.map(({ algorithm }) => algorithm))
  const reader = new HeldReader(hold)
  for (let buffers = await reader.next(Infinity); buffers !== null; buffers = await reader.next(Infinity)) {
    sums.update(buffers)
  }
  verifyChecksums(declared, (algorithm) => sums.digest(algorithm))
}

function notWhole(body: LiveBody): UploadError {
  if (body.draining()) return new UploadError('DRAINING')
  const stalled = body.reader.end === 'stalled'
  return new UploadError(stalled ? 'TIMEOUT' : 'UPLOAD_LOCKED', {
    message: 'The body stopped before its end. It has a checksum, so nothing of it was kept; send it again.',
  })
}

function tooLargeToHold(max: number): UploadError {
  return new UploadError('BODY_TOO_LARGE', {
    message: `A body with a checksum is held until it is verified: this server holds at most ${max} bytes. Send it in smaller requests, each with its checksum.`,
    details: { max },
  })
}
