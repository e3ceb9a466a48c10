/**
 * Resumable uploads that do not lose a byte: the core, over a storage.
 * @module
 */
export type { Action, Authenticate, Authorize, Caller, Principal, Subject } from './access.ts'
export { ADMIN_SCOPE, ownerMay } from './access.ts'
export type { ChecksumAlgorithm } from './checksum/algorithms.ts'
export type { Checksum, DeclaredChecksums } from './checksum/body-checksum.ts'
export { parseCreateInput, type CreateInput } from './create-input.ts'
export { ERRORS, isUploadError, RETRY_AFTER_S, toUploadError, UploadError } from './errors.ts'
export type { ErrorCode, ErrorEntry, UploadErrorOptions } from './errors.ts'
export type { FailedUpload, UploadEventMap, UploadEvents } from './events.ts'
export type { FileRecord, FileRepository } from './files.ts'
export { MemoryState } from './state/memory.ts'
export type { Rate, RateCounter } from './state/rate-counter.ts'
export type { UploadsOptions } from './options.ts'
export { formatDuration, type Progress } from './progress.ts'
export { parseSize } from './size.ts'
export { parseTypePattern } from './media-types.ts'
export { createUploads, Uploads } from './uploads.ts'
export type {
  AppendInput,
  ChunkInput,
  Completed,
  CompleteInput,
  ConcatenatedUpload,
  ConcatenateInput,
  CreatedUpload,
  Download,
  Idempotency,
  ListInput,
  News,
  OpenPage,
  Settled,
  SweepOptions,
  SweepStep,
  TokenBearer,
  UploadsStats,
  Watch,
} from './uploads.ts'
export type { Json, Manifest, Upload, UploadStatus } from './upload.ts'
export { readWebhookSecret } from './webhooks/signature.ts'
export type { WebhookOptions } from './webhooks/webhook.ts'
export type { Storage } from './storage/storage.ts'
