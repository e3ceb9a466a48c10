import type { Readable } from 'node:stream'
import type { BodySource } from '../body/bodies.ts'
import type { DeclaredChecksums } from '../checksum/body-checksum.ts'
import { UploadError } from '../errors.ts'
import { gridOf, type Upload } from '../upload.ts'
import type { Context } from './context.ts'
import { lockUpload, recover, there } from './records.ts'

/** A body to append. */
export interface AppendInput {
  /** Where the client believes the upload ends, bytes. */
  readonly offset: number
  /** The body as it comes from the socket: nothing else may read it. */
  readonly body: Readable
  /** Bytes the body says it has (Content-Length), or null. */
  readonly contentLength: number | null
  /** The length of the file, where this request declares it. */
  readonly declaredSize?: number
  /** What the body must have: it is appended whole and verified, or nothing of it is kept. */
  readonly checksums?: DeclaredChecksums
  /** Aborts when the client has gone. */
  readonly signal?: AbortSignal
}

/** Takes the lock *append*: whoever has it is asked to let go. */
export function lockAppend(
  context: Context,
  id: string,
  body: Pick<BodySource, 'gone' | 'letGo' | 'stop'>,
): ReturnType<typeof lockUpload> {
  return lockUpload(context, id, {
    scope: { kind: 'append' },
    waitMs: context.options.lockWaitMs,
    ask: true,
    signal: body.gone,
    onAsked: () => body.letGo(),
    // What has been received is of no use to anybody any more: another may be writing it already.
    onLost: () => body.stop(),
  })
}

/** The upload, if what the request says of it is so. Under a lock. */
export async function checkPlace(context: Context, known: Upload, input: AppendInput): Promise<Upload> {
  let upload = known
  if (input.offset > upload.ledger.offset(gridOf(upload))) {
    // The client was told of more than is known here: state has forgotten, storage has not.
    upload = there((await recover(context, upload.manifest.id)) ?? upload)
  }
  const offset = upload.ledger.offset(gridOf(upload))
  if (input.offset !== offset) {
    if (upload.status !== 'uploaded' && upload.ledger.isFull(gridOf(upload))) throw new UploadError('UPLOAD_LOCKED')
    throw new UploadError('OFFSET_MISMATCH', {
      message: `Upload-Offset is ${input.offset}; this upload is at ${offset}.`,
      details: { offset },
    })
  }
  checkDeclared(upload, input.declaredSize)
  checkRoom(context, upload, input)
  return upload
}

/** The most that the file of an upload can have, bytes: its length, where that is known or declared now. */
export function mostOf(context: Context, upload: Upload, declaredSize?: number): number {
  const { maxFileSize, limits } = context.options
  return declaredSize ?? upload.size ?? Math.min(maxFileSize ?? Infinity, upload.manifest.chunkSize * limits.maxChunks)
}

export function tooLarge(max: number): UploadError {
  return new UploadError('FILE_TOO_LARGE', {
    message: `This upload takes at most ${max} bytes.`,
    details: { max },
  })
}

/** @throws UploadError `FILE_TOO_LARGE` before a byte is taken, where the body says how long it is */
function checkRoom(context: Context, upload: Upload, input: AppendInput): void {
  const { maxFileSize } = context.options
  if (maxFileSize !== null && input.declaredSize !== undefined && input.declaredSize > maxFileSize)
    throw tooLarge(maxFileSize)
  const end = input.offset + (input.contentLength ?? 0)
  const most = mostOf(context, upload, input.declaredSize)
  if (end > most) throw tooLarge(most)
}

function checkDeclared(upload: Upload, size: number | undefined): void {
  if (size === undefined || size === upload.size) return
  if (upload.size !== null || size < upload.ledger.extent(gridOf(upload))) {
    throw new UploadError('INVALID_REQUEST', {
      message:
        upload.size === null
          ? `Upload-Length is ${size}; more than that is stored already.`
          : `The length of this upload is ${upload.size} and cannot be changed.`,
      details: { field: 'Upload-Length' },
    })
  }
}
