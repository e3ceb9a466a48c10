import { randomUUID } from 'node:crypto'
import type { FileRecord } from '../../src/files.ts'

/** The record of a finished file of 10 bytes. */
export function aFile(facts: Partial<FileRecord> = {}): FileRecord {
  return {
    id: randomUUID(),
    uploadId: randomUUID(),
    owner: null,
    name: 'holiday.mov',
    size: 10,
    contentType: 'video/quicktime',
    metadata: {},
    uploadedAt: Date.UTC(2026, 0, 1, 12, 0, 0, 500),
    checksum: null,
    ...facts,
  }
}
