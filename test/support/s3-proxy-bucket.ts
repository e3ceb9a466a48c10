import { randomUUID } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { createUploads } from '../../src/index.ts'
import { type S3Dialect, S3Storage, s3ClientOptions, type S3StorageOptions } from '../../src/storage/s3/index.ts'
import type { StoredUpload } from '../../src/upload.ts'
import { LEAST_PART } from './s3-proxy-ceph.ts'
import type { S3Service } from './services/s3-service.ts'

const DAY_MS = 24 * 3_600_000
const DIALECT: S3Dialect = { minPartSize: LEAST_PART }

/** An object as anybody sees it who is let in. */
export interface SeenObject {
  readonly bytes: Buffer
  readonly contentType: string | undefined
}

/** A bucket, looked at straight, and nodes that come to it when all is over. */
export class S3Bucket {
  readonly name: string
  readonly #client: S3Client

  private constructor(name: string, client: S3Client) {
    this.name = name
    this.#client = client
  }

  static async make(service: S3Service): Promise<S3Bucket> {
    const client = new S3Client({ ...s3ClientOptions(), ...service })
    const name = `holdfast-test-${randomUUID()}`
    await client.send(new CreateBucketCommand({ Bucket: name }))
    return new S3Bucket(name, client)
  }

  leave(): void {
    this.#client.destroy()
  }

  /** What is left below a prefix: keys without it, those of multipart uploads under way with a question mark. */
  async left(prefix: string): Promise<string[]> {
    const where = { Bucket: this.name, Prefix: prefix }
    const [objects, uploads] = await Promise.all([
      this.#client.send(new ListObjectsV2Command(where)),
      this.#client.send(new ListMultipartUploadsCommand(where)),
    ])
    if (objects.IsTruncated === true || uploads.IsTruncated === true) throw new Error('One listing does not tell all.')
    const keys = (objects.Contents ?? []).map(({ Key = '' }) => Key.slice(prefix.length))
    return [...keys, ...(uploads.Uploads ?? []).map(({ Key = '' }) => `${Key.slice(prefix.length)}?`)]
  }

  async get(key: string): Promise<SeenObject> {
    const answer = await this.#client.send(new GetObjectCommand({ Bucket: this.name, Key: key }))
    if (answer.Body === undefined) throw new Error(`${key} has no body.`)
    return { bytes: Buffer.from(await answer.Body.transformToByteArray()), contentType: answer.ContentType }
  }

  /** What a node knows of an upload that comes new to the bucket. */
  async load(prefix: string, id: string): Promise<StoredUpload | null> {
    // It is only opened for a look: that S3 heeds conditions is not tried.
    const storage = new S3Storage(this.#options(prefix, { ...DIALECT, conditionalWrites: false }))
    await storage.open()
    try {
      return await storage.load(id)
    } finally {
      await storage.close()
    }
  }

  /** A node sweeps, `days` from now. */
  async sweep(prefix: string, days: number): Promise<void> {
    const storage = new SweptStorage(this.#options(prefix, DIALECT))
    const faults: unknown[] = []
    const onError = (error: unknown): void => {
      faults.push(error)
      storage.over()
    }
    const uploads = createUploads({ storage, now: () => Date.now() + days * DAY_MS, onError })
    const swept = new Promise<void>((resolve) => (storage.over = resolve))
    // It begins to sweep when it is opened, and would not go on when it is closed.
    await uploads.open()
    await swept
    await uploads.close()
    for (const fault of faults) throw fault
  }

  #options(prefix: string, dialect: S3Dialect): S3StorageOptions {
    return { client: this.#client, bucket: this.name, prefix, dialect }
  }
}

/** A storage that tells when a sweep has come to its end. */
class SweptStorage extends S3Storage {
  over: () => void = () => {}

  override async sweep(before: number): Promise<void> {
    try {
      await super.sweep(before)
    } finally {
      this.over()
    }
  }
}
