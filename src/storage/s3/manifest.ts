import { isConcatenation } from '../../concatenation.ts'
import type { GoneStatus, Json, Manifest } from '../../upload.ts'
import { mustKnowVersion } from '../format-version.ts'
import type { Documents } from './documents.ts'
import { isCount, isObject, isStringOrNull } from './json.ts'
import type { Keys } from './keys.ts'
import type { MultipartUpload } from './multipart.ts'

/** Where an upload's bytes go. Never changes. */
export interface Place {
  readonly id: string
  readonly fileId: string
  /** Key of the finished file. */
  readonly key: string
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number
  /** The multipart upload that gathers its chunks; null where one object takes all there is: 0 or 1 chunk. */
  readonly multipart: MultipartUpload | null
}

/** A manifest as it stands in the bucket. */
export interface StoredManifest {
  readonly manifest: Manifest
  readonly place: Place
  /** How it ended, once the upload is being forgotten: see removal.ts. */
  readonly ended: { readonly status: GoneStatus; readonly at: number } | null
  readonly etag: string
}

/** The object that holds a manifest. */
export function manifestDocument(manifest: Manifest, { key, multipart }: Place): object {
  return { manifest, key, ...(multipart === null ? {} : { uploadId: multipart.uploadId }) }
}

/**
 * An upload's manifest, or null.
 *
 * @throws FormatVersionError when a newer version wrote it.
 */
export async function readManifest(documents: Documents, keys: Keys, id: string): Promise<StoredManifest | null> {
  const document = await documents.read(keys.manifest(id))
  if (document === null) return null
  const { manifest, key, uploadId, ended } = document.value
  if (isObject(manifest)) mustKnowVersion(`The manifest of upload ${id}`, manifest.version, 1)
  if (!isManifest(manifest) || manifest.id !== id || typeof key !== 'string') {
    throw new Error(`The manifest of upload ${id} cannot be read.`)
  }
  const multipart = typeof uploadId === 'string' ? { key, uploadId } : null
  const place = { id, fileId: manifest.fileId, key, chunkSize: manifest.chunkSize, multipart }
  return { manifest, place, ended: isEnded(ended) ? ended : null, etag: document.etag }
}

function isManifest(value: unknown): value is Manifest {
  return (
    isObject(value) &&
    value.version === 1 &&
    typeof value.id === 'string' &&
    typeof value.fileId === 'string' &&
    isStringOrNull(value.owner) &&
    typeof value.fileName === 'string' &&
    typeof value.contentType === 'string' &&
    isJsonObject(value.metadata) &&
    isObject(value.attributes) &&
    isCount(value.chunkSize) &&
    (value.size === null || isCount(value.size)) &&
    isStringOrNull(value.checksum) &&
    (value.concatenation === undefined || isConcatenation(value.concatenation)) &&
    isCount(value.createdAt)
  )
}

/** What was parsed as JSON holds nothing but JSON. */
export function isJsonObject(value: unknown): value is { readonly [key: string]: Json } {
  return isObject(value)
}

function isEnded(value: unknown): value is { readonly status: GoneStatus; readonly at: number } {
  return isObject(value) && isCount(value.at) && isGoneStatus(value.status)
}

/** Whether a value is a status of which only a tombstone is left. */
export function isGoneStatus(value: unknown): value is GoneStatus {
  return value === 'cancelled' || value === 'expired' || value === 'failed'
}
