import type { FileRecord } from '../files.ts'
import type { GoneStatus, Upload } from '../upload.ts'

/** What a webhook is told. */
export interface WebhookEvent {
  /** The same for every attempt, and for nothing else: `webhook-id`. */
  readonly id: string
  readonly type: 'upload.completed' | `upload.${GoneStatus}`
  /** When it happened, ISO 8601. */
  readonly timestamp: string
  readonly data: object
}

/** A file is finished. */
export function completedEvent(file: FileRecord): WebhookEvent {
  const timestamp = new Date(file.uploadedAt).toISOString()
  const data = { ...file, status: 'uploaded', uploadedAt: timestamp }
  return { id: `completed_${file.id}`, type: 'upload.completed', timestamp, data }
}

/** An upload has come to another end. */
export function goneEvent(status: GoneStatus, { manifest, size, endedAt }: Upload): WebhookEvent {
  const { id, fileId, owner, fileName, contentType, metadata } = manifest
  const timestamp = new Date(endedAt ?? 0).toISOString()
  const data = {
    id: fileId,
    uploadId: id,
    owner,
    name: fileName,
    size,
    contentType,
    metadata,
    status,
    endedAt: timestamp,
  }
  return { id: `${status}_${id}`, type: `upload.${status}`, timestamp, data }
}
