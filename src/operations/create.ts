import { createHash, randomUUID } from 'node:crypto'
import { type Caller, subjectOf } from '../access.ts'
import { checkCreateInput, DEFAULT_CONTENT_TYPE, type CreateInput } from '../create-input.ts'
import { UploadError } from '../errors.ts'
import { chooseChunkSize, type GridLimits } from '../grid.ts'
import { newUpload, type Manifest, type Upload } from '../upload.ts'
import { keepAccount, leaveAccount } from './account.ts'
import { refuseType } from './check-type.ts'
import type { Context } from './context.ts'
import { reserveNew } from './quota.ts'
import { load, nextExpiry, there } from './records.ts'
import { wantLogin } from './upload-token.ts'

/** A client's promise that a repeated request means the same upload. */
export interface Idempotency {
  /** What the client calls the request. */
  readonly key: string
}

/** For how long a key means the same upload, ms. */
export const IDEMPOTENCY_MS = 24 * 3_600_000

/** An upload that was just made. */
export interface CreatedUpload extends Upload {
  /** Speaks for its owner, for this upload alone and until it ends; null where nobody was asked who he is. */
  readonly uploadToken: string | null
}

/** See {@link Uploads.create}. */
export async function create(
  context: Context,
  input: CreateInput,
  caller: Caller,
  idempotency?: Idempotency,
): Promise<CreatedUpload> {
  return context.bodies.run(async () => {
    wantLogin(caller)
    const manifest = manifestFor(context, checkCreateInput(input), caller)
    await mayCreate(context, manifest, caller)
    // Before the upload is, so that where it cannot be had nothing is made.
    const issue = await issuerFor(context, caller)
    const upload = await (idempotency === undefined
      ? begin(context, manifest)
      : beginOnce(context, manifest, claimKey(idempotency.key, caller), fingerprint(input)))
    return { ...upload, uploadToken: issue?.(upload.manifest.id) ?? null }
  })
}

/** @throws UploadError `FORBIDDEN` */
export async function mayCreate({ options }: Context, manifest: Manifest, { principal }: Caller): Promise<void> {
  const subject = subjectOf(newUpload(manifest))
  if (!(await options.authorize(principal, 'create', subject))) throw new UploadError('FORBIDDEN')
}

/** What makes the tokens of uploads, for who has logged in; null where nobody is asked who he is. */
export async function issuerFor({ tokens }: Context, { principal }: Caller): Promise<((id: string) => string) | null> {
  return principal === null ? null : await tokens.issuer()
}

/** What an upload is to be. @throws UploadError `FILE_TOO_LARGE`, `INVALID_REQUEST` */
export function manifestFor(context: Context, input: CreateInput, caller: Caller): Manifest {
  const { maxFileSize, chunkSize, limits, now } = context.options
  if (maxFileSize !== null && input.fileSize !== null && input.fileSize > maxFileSize) {
    throw new UploadError('FILE_TOO_LARGE', {
      message: `The file has ${input.fileSize} bytes; this server takes at most ${maxFileSize}.`,
      details: { max: maxFileSize },
    })
  }
  const contentType = input.contentType ?? DEFAULT_CONTENT_TYPE
  // A part has no type: that of the file comes with it.
  if (input.partial !== true) refuseType(context, contentType)
  return {
    version: 1,
    id: randomUUID(),
    fileId: randomUUID(),
    owner: caller.principal?.id ?? null,
    fileName: input.fileName,
    contentType,
    metadata: input.metadata ?? {},
    attributes: input.attributes ?? {},
    chunkSize: chooseChunkSize(input.fileSize ?? mostDeferred(maxFileSize, limits), input.chunkSize, chunkSize, limits),
    size: input.fileSize,
    checksum: input.checksum ?? null,
    ...(input.partial === true ? { concatenation: { kind: 'partial' } } : {}),
    createdAt: now(),
  }
}

/** Bytes that an upload of unknown length may come to need, or null: its grid must have room for them from the first. */
function mostDeferred(maxFileSize: number | null, { maxChunkSize, maxChunks }: GridLimits): number | null {
  return maxFileSize === null ? null : Math.min(maxFileSize, maxChunkSize * maxChunks)
}

/** Makes the upload, or finds the one that another has made under its id. @throws UploadError what `beforeCreate` throws */
export async function begin(context: Context, manifest: Manifest): Promise<Upload> {
  await context.options.beforeCreate(manifest)
  await reserveNew(context, manifest)
  if (!(await made(context, manifest))) {
    // Another request with the same key was faster: its upload is the one.
    const other = await load(context, manifest.id)
    if (other === null) throw new UploadError('UPLOAD_LOCKED')
    return there(other)
  }
  const stored = newUpload(manifest)
  await keepAccount(context, stored)
  const upload = await context.state.adopt({ ...stored, expiresAt: nextExpiry(context, stored) })
  context.events.emit('created', upload)
  return upload
}

/** Whether this made the upload. What could not be made needs no room; if it stands after all, a merge enters it. */
async function made(context: Context, manifest: Manifest): Promise<boolean> {
  try {
    return await context.storage.create(manifest)
  } catch (error) {
    await leaveAccount(context, manifest)
    throw error
  }
}

/**
 * The key is claimed for an id before the upload is made under that id. Killed in between, the repeated request finds the
 * claim and no upload, and makes it: one key never makes two.
 */
async function beginOnce(context: Context, manifest: Manifest, key: string, print: string): Promise<Upload> {
  const { now, storage } = context.options
  const mine = { id: manifest.id, fingerprint: print, at: now() }
  const standing = await storage.claim(key, mine, now() - IDEMPOTENCY_MS)
  if (standing.fingerprint !== print) {
    throw new UploadError('IDEMPOTENCY_KEY_REUSED', {
      message: 'This Idempotency-Key was used within the last 24 h for another request. Use a new key.',
    })
  }
  if (standing.id !== manifest.id) {
    const upload = await load(context, standing.id)
    if (upload !== null) return there(upload)
  }
  return begin(context, { ...manifest, id: standing.id })
}

function claimKey(key: string, caller: Caller): string {
  return sha256(JSON.stringify([caller.principal?.id ?? null, key]))
}

function fingerprint(input: CreateInput): string {
  return sha256(JSON.stringify(input))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
