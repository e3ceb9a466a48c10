/**
 * A client of the JSON API, for browsers and Node, that imports nothing.
 * @module
 */
export { ResumableUploader, type SingleCallOptions } from './resumable-uploader.ts'
export type { ResumableUploaderOptions } from './options.ts'
export type { StartOptions, UploadTask } from './upload-task.ts'
export type { TaskState, UploadProgress } from './progress.ts'
export { ResumableUploadError } from './errors.ts'
export type { ClientCode, ServerCode } from './error-codes.ts'
export type { UploadSource } from './source.ts'
export type { UploadStorage } from './storage.ts'
export { webStorage } from './web-storage.ts'
export type { RememberedUpload } from './memory.ts'
export type { Sha256 } from './sha256.ts'
export type { Credentials } from './transport.ts'
export type {
  ChunkRanges,
  InitiatedUpload,
  ResumedUpload,
  ServerProgress,
  StoredChunk,
  UploadedFile,
  UploadList,
  UploadStatus,
} from './contract.ts'
