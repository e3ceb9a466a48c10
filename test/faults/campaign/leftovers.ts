import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { s3Service } from '../../support/services/s3.ts'

/** What may be there when all uploads have ended: records, and the files that clients were told of. */
const RECORDS = ['manifest.json', 'journal']
const TOMBSTONE =
  /^holdfast\/(?:uploads\/[0-9a-f-]{36}\/(?:manifest|length|completing|digest|ledger)|records\/[0-9a-f-]{36}|secret)$/

/** What stands in a DATA_DIR beside records and the files with these ids. */
export async function leftoversOnDisk(directory: string, fileIds: ReadonlySet<string>): Promise<string[]> {
  const left: string[] = []
  for (const id of await readdir(join(directory, 'uploads'))) {
    for (const name of await readdir(join(directory, 'uploads', id)))
      if (id.startsWith('.') || !RECORDS.includes(name)) left.push(`uploads/${id}/${name}`)
  }
  for (const name of await readdir(join(directory, 'files')))
    if (!fileIds.has(name.replace(/\.json$/, ''))) left.push(`files/${name}`)
  for (const name of await readdir(directory))
    if (!['uploads', 'files', 'claims', 'owner.json', 'secret.json'].includes(name)) left.push(name)
  return left
}

/** What stands in a bucket beside records and the files with these ids. */
export async function leftoversInBucket(Bucket: string, fileIds: ReadonlySet<string>): Promise<string[]> {
  const client = new S3Client(s3Service())
  const left: string[] = []
  for (let from: string | undefined; ; ) {
    const { Contents = [], NextContinuationToken } = await client.send(
      new ListObjectsV2Command({ Bucket, ContinuationToken: from }),
    )
    for (const { Key = '' } of Contents) {
      const [, fileId = ''] = /^holdfast\/files\/([^/]+)\//.exec(Key) ?? []
      if (!fileIds.has(fileId) && !TOMBSTONE.test(Key)) left.push(Key)
    }
    if (NextContinuationToken === undefined) break
    from = NextContinuationToken
  }
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  client.destroy()
  return [...left, ...Uploads.map(({ Key = '' }) => `multipart upload of ${Key}`)]
}
