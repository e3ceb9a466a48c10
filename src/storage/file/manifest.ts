import { isConcatenation } from '../../concatenation.ts'
import type { Json, Manifest } from '../../upload.ts'
import { mustKnowVersion } from '../format-version.ts'
import type { Disk } from './disk.ts'
import { isCount, isObject, isStringOrNull, parseJson } from './json.ts'

/**
 * An upload's manifest. Null where there is none, and where a power cut left nothing of it.
 *
 * @throws FormatVersionError when a newer version wrote it.
 */
export async function readManifest(disk: Disk, id: string): Promise<Manifest | null> {
  const content = await disk.read(disk.layout.manifest(id))
  const value = content === null ? undefined : parseJson(content)
  if (!isObject(value) || (value.version === 1 && value.id !== id)) return null
  mustKnowVersion(`The manifest of upload ${id}`, value.version, 1)
  return isManifest(value) ? value : null
}

function isManifest(value: object): value is Manifest {
  return (
    isObject(value) &&
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
