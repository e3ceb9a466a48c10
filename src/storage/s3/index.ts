/**
 * Storage in a bucket of an object store that speaks S3.
 *
 * @module
 */
export type { S3Sender } from './calls.ts'
export { fromS3Store, s3ClientOptions, type S3StoreOptions } from './client.ts'
export type { FileToFetch, FileToStore, S3Dialect, S3StorageOptions } from './options.ts'
export type { RetryPolicy } from './retry.ts'
export { S3Storage } from './s3-storage.ts'
