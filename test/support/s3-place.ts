import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { S3Storage, s3ClientOptions, type S3StorageOptions } from '../../src/storage/s3/index.ts'
import { FaultyS3 } from './faulty-s3.ts'
import { newBucket, s3Service } from './services/s3.ts'

/** Options of a storage, but for where it is. */
export type StorageChoice = Partial<Omit<S3StorageOptions, 'client' | 'bucket'>>

/** A bucket of one test, and storages on it. */
export class S3Place {
  readonly client = new S3Client({ ...s3ClientOptions(), ...s3Service() })
  readonly s3 = new FaultyS3(this.client)
  readonly bucket: string
  readonly #storages: S3Storage[] = []

  private constructor(bucket: string) {
    this.bucket = bucket
  }

  static async make(): Promise<S3Place> {
    return new S3Place(await newBucket())
  }

  /** Another storage on the bucket, as another node has it. Tries again at once. */
  async open(choice: StorageChoice = {}): Promise<S3Storage> {
    const { retry, ...others } = choice
    const policy = { baseMs: 1, longestPauseMs: 5, ...retry }
    const storage = new S3Storage({ client: this.s3, bucket: this.bucket, retry: policy, ...others })
    await storage.open()
    this.#storages.push(storage)
    return storage
  }

  /** The keys of all objects, in order. */
  async keys(): Promise<string[]> {
    const { Contents = [], IsTruncated } = await this.client.send(new ListObjectsV2Command({ Bucket: this.bucket }))
    if (IsTruncated === true) throw new Error('There are more objects than one listing tells.')
    return Contents.map(({ Key = '' }) => Key)
  }

  /** The keys of multipart uploads under way. */
  async multipartKeys(): Promise<string[]> {
    const { Uploads = [] } = await this.client.send(new ListMultipartUploadsCommand({ Bucket: this.bucket }))
    return Uploads.map(({ Key = '' }) => Key)
  }

  /** Puts an object, as anybody may who uses the bucket too. */
  async put(key: string, body: string | Buffer, metadata: Record<string, string> = {}): Promise<void> {
    const where = { Bucket: this.bucket, Key: key }
    await this.client.send(new PutObjectCommand({ ...where, Body: body, Metadata: metadata }))
  }

  /** An object's bytes, as anybody may read them. */
  async get(key: string): Promise<Buffer> {
    const { Body } = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }))
    if (Body === undefined) throw new Error(`${key} has no body.`)
    return Buffer.from(await Body.transformToByteArray())
  }

  /** Closes the storages. */
  async leave(): Promise<void> {
    for (const storage of this.#storages) await storage.close()
    this.client.destroy()
  }
}
