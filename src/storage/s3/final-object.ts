import { contentDisposition } from '../../content-disposition.ts'
import { UploadError } from '../../errors.ts'
import type { ChunkEntry } from '../../ledger.ts'
import type { Manifest } from '../../upload.ts'
import type { ObjectFacts, ObjectHeaders } from './bucket.ts'
import type { Payload } from './calls.ts'
import type { S3Context } from './context.ts'
import type { Place } from './manifest.ts'
import { isNoSuchKey, isRefused } from './s3-error.ts'
import { sha256 } from './sha256.ts'

/** Says whose an object is: nothing without it is ever deleted, or taken for an upload's file. */
const UPLOAD_KEY = 'holdfast-upload'
/** SHA-256 (hex) of the bytes. Where S3 heeds none of its own (Ceph, outside of multipart uploads), this is the one. */
const SHA256_KEY = 'holdfast-sha256'

/** How often a write is begun again because another came in between. */
const TURNS = 3

/** What is kept with a finished file, for whoever is sent to it directly. */
export function objectHeaders({ id, fileId, fileName, contentType }: Manifest, digest?: string): ObjectHeaders {
  return {
    contentType,
    contentDisposition: contentDisposition(fileName),
    metadata: {
      [UPLOAD_KEY]: id,
      'holdfast-file': fileId,
      // Header values are ASCII.
      filename: encodeURIComponent(fileName),
      ...(digest === undefined ? {} : { [SHA256_KEY]: digest }),
    },
  }
}

/** Whether an object is the one that an upload made. */
export function isOurs({ metadata }: ObjectFacts, id: string): boolean {
  return metadata[UPLOAD_KEY] === id
}

/** The digest that was written with an object of one piece, or null. */
function writtenDigest({ metadata }: ObjectFacts): string | null {
  const digest = metadata[SHA256_KEY]
  return digest !== undefined && /^[0-9a-f]{64}$/.test(digest) ? digest : null
}

/**
 * Writes a file that is one piece (its only chunk, or no byte at all) straight under its final key; returns the ETag.
 *
 * It never replaces a chunk of this upload: of two writers with other bytes the first has won. What somebody else put
 * under this key is replaced, as a multipart upload would.
 *
 * @throws UploadError `CHUNK_CONFLICT` when other bytes of this upload stand there
 */
export async function putFile(context: S3Context, place: Place, manifest: Manifest, payload: Payload): Promise<string> {
  const headers = objectHeaders(manifest, payload.sha256)
  let standing = context.options.conditionalWrites ? null : await context.bucket.head(place.key)
  for (let turn = 0; turn < TURNS; turn += 1) {
    if (standing !== null && isOurs(standing, place.id)) {
      if (standing.size === payload.size && writtenDigest(standing) === payload.sha256) return standing.etag
      throw new UploadError('CHUNK_CONFLICT')
    }
    try {
      const condition = standing === null ? ({ absent: true } as const) : { etag: standing.etag }
      if (!context.options.conditionalWrites) return await context.bucket.put(place.key, payload, headers)
      return await context.bucket.put(place.key, payload, headers, condition)
    } catch (error) {
      if (!isRefused(error) && !(standing !== null && isNoSuchKey(error))) throw error
    }
    // Somebody's, or our own: the answer to an attempt may have been lost.
    standing = await context.bucket.head(place.key)
  }
  throw new UploadError('STORAGE_UNAVAILABLE', { cause: new Error(`${place.key} is written by others.`) })
}

/**
 * Takes back the only chunk of a file, which nobody was told of: other bytes were acknowledged of it. Asked for once: late,
 * it could meet the chunk that those become.
 */
export async function removeFile({ bucket }: S3Context, { id, key }: Place): Promise<void> {
  const facts = await bucket.head(key)
  if (facts !== null && isOurs(facts, id)) await bucket.remove(key, { policy: { attempts: 1 } })
}

/** The only chunk of a file that is one piece, if it stands under its key. */
export async function standingChunk(context: S3Context, place: Place, size: number): Promise<ChunkEntry | null> {
  const facts = await context.bucket.head(place.key)
  if (facts === null || !isOurs(facts, place.id) || facts.size !== size) return null
  const digest = writtenDigest(facts)
  return digest === null ? null : { number: 0, size, sha256: digest, at: facts.modifiedAt, etag: facts.etag }
}

/** A payload without a byte. */
export const NO_BYTES: Payload = { size: 0, sha256: sha256(''), body: Buffer.alloc(0) }
