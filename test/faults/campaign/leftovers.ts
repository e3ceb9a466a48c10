import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GetObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { s3Service } from '../../support/services/s3.ts'

/** Files that clients were told of, by the ids of the files and of their uploads. */
export type Finished = ReadonlySet<string>

/** What may be there when all uploads have ended: records of ends, and finished files. */
const RECORDS = ['manifest.json', 'journal']
const UPLOAD_KEY = /^holdfast\/uploads\/([0-9a-f-]{36})\/(.+)$/

/** What stands in a DATA_DIR beside finished files, and beside `records` of uploads where these may be there still. */
export async function leftoversOnDisk(directory: string, finished: Finished, records: boolean): Promise<string[]> {
  const left: string[] = []
  for (const id of await readdir(join(directory, 'uploads'))) {
    for (const name of await namesIn(join(directory, 'uploads', id)))
      if (!(records || finished.has(id)) || !RECORDS.includes(name)) left.push(`uploads/${id}/${name}`)
  }
  for (const name of await readdir(join(directory, 'files')))
    if (!finished.has(name.replace(/\.json$/, ''))) left.push(`files/${name}`)
  for (const name of await readdir(directory))
    if (!['uploads', 'files', 'claims', 'owner.json', 'secret.json'].includes(name)) left.push(name)
  return left
}

/** What is in a folder; nothing, where it is gone meanwhile. */
async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

/**
 * What stands in a bucket beside finished files. Where `records` may be there still, so may be what a kill has left that
 * belongs to no upload, or to a finished one: it is swept after a day.
 */
export async function leftoversInBucket(bucket: string, finished: Finished, records: boolean): Promise<string[]> {
  const { keys, multiparts } = await listBucket(bucket)
  const left = keys.filter((key) => {
    if (key === 'holdfast/secret') return false
    const [, id = '', name = ''] = UPLOAD_KEY.exec(key) ?? []
    if (id !== '') return name.startsWith('tail/') ? !(records && finished.has(id)) : !(records || finished.has(id))
    const [folder, fileId = ''] = key.slice('holdfast/'.length).split('/')
    return folder === 'records' ? !(records || finished.has(fileId)) : !finished.has(fileId)
  })
  const begun = records ? await namedByManifests(bucket, multiparts, new Set(keys)) : multiparts
  return [...left, ...begun.map(({ key }) => `multipart upload of ${key}`)]
}

/** Ids of finished files with one of these names, and of their uploads. */
export async function filesNamed(
  directory: string,
  bucket: string | null,
  names: ReadonlySet<string>,
): Promise<string[]> {
  const records = bucket === null ? await recordsOnDisk(directory) : await recordsInBucket(bucket)
  return records.flatMap(({ uploadId, file }) => (file !== null && names.has(file.name) ? [file.id, uploadId] : []))
}

/** What is read of a finished file's record. */
interface FileRecord {
  readonly uploadId: string
  readonly file: { readonly id: string; readonly name: string } | null
}

async function recordsOnDisk(directory: string): Promise<FileRecord[]> {
  const names = (await readdir(join(directory, 'files'))).filter((name) => /^[0-9a-f].*\.json$/.test(name))
  const records = names.map(async (name) => {
    const file = JSON.parse(await readFile(join(directory, 'files', name), 'utf8')) as FileRecord['file'] & FileRecord
    return { uploadId: file.uploadId, file }
  })
  return Promise.all(records)
}

async function recordsInBucket(Bucket: string): Promise<FileRecord[]> {
  const client = new S3Client(s3Service())
  const records: FileRecord[] = []
  for (const Key of (await listBucket(Bucket)).keys.filter((key) => key.startsWith('holdfast/records/'))) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
    records.push(JSON.parse((await Body?.transformToString()) ?? '{}') as FileRecord)
  }
  client.destroy()
  return records
}

/** Ids of the uploads of which there is a record. */
export async function uploadIds(directory: string, bucket: string | null): Promise<string[]> {
  if (bucket === null) return (await readdir(join(directory, 'uploads'))).filter((name) => !name.startsWith('.'))
  const { keys } = await listBucket(bucket)
  return [...new Set(keys.flatMap((key) => UPLOAD_KEY.exec(key)?.[1] ?? []))]
}

/** Everything in a bucket whose key has one of these texts in it. */
export async function keysWith(bucket: string, texts: readonly string[]): Promise<string[]> {
  const { keys, multiparts } = await listBucket(bucket)
  const all = [...keys, ...multiparts.map(({ key }) => `multipart upload of ${key}`)]
  return all.filter((key) => texts.some((text) => key.includes(text)))
}

/** A multipart upload under way. */
interface Multipart {
  readonly key: string
  readonly uploadId: string
}

/** Those that an upload's manifest names: of one that was begun twice, because an answer was lost, it names the second. */
async function namedByManifests(
  Bucket: string,
  multiparts: readonly Multipart[],
  keys: ReadonlySet<string>,
): Promise<Multipart[]> {
  const client = new S3Client(s3Service())
  const named: Multipart[] = []
  for (const one of multiparts) {
    const Key = `holdfast/uploads/${one.key.split('/').at(-1)}/manifest`
    if (!keys.has(Key)) continue
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
    if ((await Body?.transformToString())?.includes(one.uploadId) === true) named.push(one)
  }
  client.destroy()
  return named
}

interface Listing {
  readonly keys: readonly string[]
  readonly multiparts: readonly Multipart[]
}

async function listBucket(Bucket: string): Promise<Listing> {
  const client = new S3Client(s3Service())
  const keys: string[] = []
  for (let from: string | undefined; ; ) {
    const { Contents = [], NextContinuationToken } = await client.send(
      new ListObjectsV2Command({ Bucket, ContinuationToken: from }),
    )
    keys.push(...Contents.map(({ Key = '' }) => Key))
    if (NextContinuationToken === undefined) break
    from = NextContinuationToken
  }
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  client.destroy()
  return { keys, multiparts: Uploads.map(({ Key = '', UploadId = '' }) => ({ key: Key, uploadId: UploadId })) }
}
