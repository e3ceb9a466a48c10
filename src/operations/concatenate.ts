import type { Caller } from '../access.ts'
import { finalId, isPartial, type Part } from '../concatenation.ts'
import { checkCreateInput, type CreateInput } from '../create-input.ts'
import { isUploadError, UploadError } from '../errors.ts'
import { isGone, type Upload } from '../upload.ts'
import { authorised } from './authorised.ts'
import { completeIfFull, type Settled } from './complete.ts'
import type { Context } from './context.ts'
import { begin, type CreatedUpload, issuerFor, manifestFor, mayCreate } from './create.ts'
import { load, there } from './records.ts'
import { wantLogin } from './upload-token.ts'

/** A file that is to be made of parts. */
export interface ConcatenateInput extends Pick<CreateInput, 'fileName' | 'contentType' | 'metadata' | 'attributes'> {
  /** Ids of the parts, in order. The same one may be there more than once. */
  readonly parts: readonly string[]
  /** How the client wrote the list: written otherwise it makes another file, of which that is told. @default '' */
  readonly spelling?: string
}

/** A file that was made of parts. */
export interface ConcatenatedUpload extends Settled {
  readonly uploadToken: CreatedUpload['uploadToken']
}

/** The most parts of one file. */
const MOST_PARTS = 1000
/** How often the same file may be made again after it was removed, while its tombstones stand. */
const MOST_TURNS = 32
/**
 * How long a client waits for the file, ms. Within what proxies wait for an answer; it asks again then, and finds the same
 * upload, which is being made all the while.
 */
const WAIT_MS = 50_000

/**
 * See {@link Uploads.concatenate}. The manifest, which names the parts, is written before a byte is copied. Killed before
 * it, nothing is there; after it, whoever touches the upload next, or the sweeper, makes the file.
 */
export function concatenate(context: Context, input: ConcatenateInput, caller: Caller): Promise<ConcatenatedUpload> {
  return context.bodies.run(async () => {
    wantLogin(caller)
    const { parts, spelling: _, ...rest } = input
    const file = checkCreateInput({ ...rest, fileSize: null })
    if (parts.length === 0 || parts.length > MOST_PARTS) {
      throw new UploadError('INVALID_REQUEST', { message: `A file is made of 1 to ${MOST_PARTS} parts.` })
    }
    const issue = await issuerFor(context, caller)
    const { id, upload } = await standing(context, input, caller)
    // Found before its parts are: they may have expired since.
    const final = upload ?? (await beginFinal(context, id, await wholeParts(context, parts, caller), file, caller))
    const settled = await completeIfFull(context, final, caller, 'FORBIDDEN', WAIT_MS)
    return { ...settled, uploadToken: issue?.(id) ?? null }
  })
}

/** The upload that this very request has made before, or null; and the id it is to have. */
async function standing(
  context: Context,
  { parts, spelling = '', fileName, contentType, metadata }: ConcatenateInput,
  caller: Caller,
): Promise<{ readonly id: string; readonly upload: Upload | null }> {
  const request = { owner: ownerOf(caller), parts, file: { fileName, contentType, metadata }, spelling }
  for (let turn = 0; ; turn += 1) {
    const id = finalId(request, turn)
    const upload = await load(context, id)
    if (upload === null) return { id, upload }
    if (!isGone(upload)) return { id, upload: there(await authorised(context, id, 'read', caller)) }
    // It was removed, or has failed: this is another one.
    if (turn === MOST_TURNS) there(upload)
  }
}

async function beginFinal(
  context: Context,
  id: string,
  parts: readonly Part[],
  file: CreateInput,
  caller: Caller,
): Promise<Upload> {
  const fileSize = parts.reduce((sum, part) => sum + part.size, 0)
  if (!Number.isSafeInteger(fileSize)) throw new UploadError('FILE_TOO_LARGE')
  const concatenation = { kind: 'final', parts } as const
  const manifest = { ...manifestFor(context, { ...file, fileSize }, caller), id, concatenation }
  await mayCreate(context, manifest, caller)
  return begin(context, manifest)
}

/** The parts, all of them the caller's own, and whole. */
async function wholeParts(context: Context, ids: readonly string[], caller: Caller): Promise<Part[]> {
  const sizes = new Map<string, number>()
  const parts: Part[] = []
  for (const [index, id] of ids.entries()) {
    const size = sizes.get(id) ?? (await named(index, () => wholeSize(context, id, caller)))
    sizes.set(id, size)
    parts.push({ id, size })
  }
  return parts
}

/**
 * Bytes of a part, once all of them stand.
 * @throws UploadError `UPLOAD_NOT_FOUND`, also for what is not the caller's; 410 codes; `INVALID_REQUEST` where it is none, or
 * not whole
 */
async function wholeSize(context: Context, id: string, caller: Caller): Promise<number> {
  const upload = await authorised(context, id, 'complete', caller)
  // Also for who may do everything with everybody's: a file is of one owner.
  if (upload.manifest.owner !== ownerOf(caller)) throw new UploadError('UPLOAD_NOT_FOUND')
  if (!isPartial(there(upload))) {
    throw new UploadError('INVALID_REQUEST', { message: 'This upload was not created as a partial one.' })
  }
  const { upload: now } = await completeIfFull(context, upload, caller, 'FORBIDDEN')
  if (now.status === 'uploaded' && now.size !== null) return now.size
  throw new UploadError('INVALID_REQUEST', { message: 'This upload is not finished. Send the rest of it first.' })
}

/** Says which part an error is about. */
async function named<T>(index: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isUploadError(error) || error.status >= 423) throw error
    throw new UploadError(error.code, {
      message: `Part ${index + 1}: ${error.message}`,
      details: { ...error.details, part: index + 1 },
    })
  }
}

function ownerOf({ principal }: Caller): string | null {
  return principal?.id ?? null
}
