import { FormatVersionError } from '../format-version.ts'
import type { Leftover } from '../storage.ts'
import type { ListedObject } from './bucket.ts'
import type { S3Context } from './context.ts'
import { readManifest } from './manifest.ts'
import { parseSegment } from './segments.ts'

/** What crashes left behind that belongs to no upload, and is older than `before` (ms). */
export async function* findLeftovers(context: S3Context, before: number): AsyncIterable<Leftover> {
  yield* strayMultipartUploads(context, before)
  yield* strayObjects(context, before)
}

/**
 * Multipart uploads that no manifest names: a kill came before it was written. Only where the keys are ours alone:
 * below our own prefix, and named by us. A key of ours tells the upload.
 */
async function* strayMultipartUploads(context: S3Context, before: number): AsyncIterable<Leftover> {
  const { keys, options, multipart } = context
  if (keys.prefix === '') return
  for (const folder of options.key === null ? [keys.files, keys.parts] : [keys.parts]) {
    for await (const begun of multipart.list(folder)) {
      const id = keys.uploadOf(begun.key)
      if (id === null || begun.begunAt >= before) continue
      const stored = await unlessNewer(readManifest(context.documents, keys, id))
      if (stored === 'newer') continue
      if (stored?.place.multipart?.uploadId === begun.uploadId) continue
      yield { kind: 'multipart upload', name: begun.key, remove: () => multipart.abort(begun) }
    }
  }
}

/** Objects in folders that are no upload's (any more), and tails that an upload that has ended left behind. */
async function* strayObjects(context: S3Context, before: number): AsyncIterable<Leftover> {
  let id: string | null = null
  let objects: ListedObject[] = []
  // A listing is in the order of the keys: what is in one folder comes together.
  for await (const object of context.bucket.list(context.keys.uploads)) {
    const folder = context.keys.folderOf(object.key)
    if (folder !== id) {
      if (id !== null) yield* straysOf(context, id, objects, before)
      id = folder
      objects = []
    }
    objects.push(object)
  }
  if (id !== null) yield* straysOf(context, id, objects, before)
}

async function* straysOf(
  context: S3Context,
  id: string,
  objects: readonly ListedObject[],
  before: number,
): AsyncIterable<Leftover> {
  const manifest = context.keys.manifest(id)
  const old = objects.filter(({ key, modifiedAt }) => key !== manifest && modifiedAt < before)
  const isUpload = objects.some(({ key }) => key === manifest)
  const leftovers = isUpload ? old.filter(({ key, size }) => parseSegment(key, size) !== null) : old
  if (leftovers.length === 0 || (isUpload && !(await hasEnded(context, id)))) return
  for (const { key } of leftovers) yield { kind: 'object', name: key, remove: () => context.bucket.remove(key) }
}

async function hasEnded(context: S3Context, id: string): Promise<boolean> {
  const stored = await unlessNewer(readManifest(context.documents, context.keys, id))
  if (stored === null || stored === 'newer') return false
  const end = await unlessNewer(context.ends.read(stored.place.fileId))
  return end !== null && end !== 'newer'
}

/** What a newer version wrote cannot be read, and is somebody's. */
async function unlessNewer<T>(reading: Promise<T>): Promise<T | 'newer'> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof FormatVersionError) return 'newer'
    throw error
  }
}
