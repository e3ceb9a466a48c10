import { expect, test } from 'vitest'
import type { FileRecord } from '../../../src/files.ts'
import { chunkView, completedView, createdView, fileView, progressView, resumedView } from '../../../src/json/views.ts'
import { Ledger } from '../../../src/ledger.ts'
import { progressOf } from '../../../src/progress.ts'
import { aManifest, anEntry, anUpload } from '../../support/upload-samples.ts'

const manifest = aManifest()
const { id, fileId } = manifest
const upload = anUpload({ manifest, status: 'uploading', ledger: Ledger.of([anEntry(1)]) })
const deferred = anUpload({ manifest: aManifest({ id, fileId, size: null }), ledger: Ledger.of([anEntry(0)]) })

const file: FileRecord = {
  id: fileId,
  uploadId: id,
  owner: null,
  name: 'holiday.mov',
  size: 10,
  contentType: 'video/quicktime',
  metadata: {},
  uploadedAt: 86_400_000,
  checksum: 'ab',
}

test('createdView', () => {
  const created = { ...anUpload({ manifest }), uploadToken: null }
  expect(createdView({ ...created, uploadToken: 'token' }, '').uploadToken).toBe('token')
  expect(createdView(created, `/files/${id}`)).toEqual({
    id,
    fileId,
    fileName: 'holiday.mov',
    fileSize: 10,
    chunkSize: 4,
    totalChunks: 3,
    status: 'initiated',
    expiresAt: '1970-01-01T00:00:05.000Z',
    tusUrl: `/files/${id}`,
  })
})

test('chunkView', () => {
  const entry = anEntry(1)
  expect(chunkView(entry, upload)).toEqual({
    chunkNumber: 1,
    size: 4,
    checksum: entry.sha256,
    storageKey: `uploads/${fileId}/chunks/1`,
    uploadedAt: '1970-01-01T00:00:02.001Z',
    expiresAt: '1970-01-01T00:00:05.000Z',
  })
})

test('progressView', () => {
  expect(progressView(progressOf(upload, 2))).toEqual({
    sessionId: id,
    fileId,
    fileName: 'holiday.mov',
    totalSize: 10,
    uploadedBytes: 4,
    percentComplete: 40,
    chunksUploaded: 1,
    totalChunks: 3,
    status: 'uploading',
    estimatedTimeRemaining: '00:00:03',
    bytesPerSecond: 2,
    missingChunks: [
      [0, 0],
      [2, 2],
    ],
    chunkSize: 4,
    expiresAt: '1970-01-01T00:00:05.000Z',
  })
})

test('progressView knows no sizes and no time while they are unknown', () => {
  expect(progressView(progressOf(deferred, 0))).toMatchObject({
    totalSize: null,
    percentComplete: null,
    totalChunks: null,
    estimatedTimeRemaining: null,
    missingChunks: [],
  })
})

test('completedView tells the checksum, or that it is being computed where it is', () => {
  const known = {
    id: fileId,
    name: 'holiday.mov',
    size: 10,
    contentType: 'video/quicktime',
    status: 'uploaded',
    uploadedAt: '1970-01-02T00:00:00.000Z',
    checksum: 'ab',
    checksumType: 'FULL_OBJECT',
  }
  expect(completedView(file, true)).toEqual(known)
  const unknown = { ...file, checksum: null }
  const computing = { ...known, checksum: null, checksumStatus: 'computing' }
  expect(completedView(unknown, true)).toEqual(computing)
  expect(completedView(unknown, false)).toEqual({ ...known, checksum: null })
  expect(completedView({ ...file, storageChecksum: 'x-3' }, true)).toEqual({ ...known, storageChecksum: 'x-3' })
})

test('fileView is what complete answered, and the metadata', () => {
  const metadata = { album: 'Summer' }
  expect(fileView({ ...file, metadata }, true)).toEqual({ ...completedView(file, true), metadata })
})

test('resumedView names the first chunk missing', () => {
  expect(resumedView(progressOf(upload, 0))).toEqual({
    id,
    status: 'active',
    uploadedBytes: 4,
    nextChunkNumber: 0,
    missingChunks: [
      [0, 0],
      [2, 2],
    ],
    chunkSize: 4,
    totalChunks: 3,
    expiresAt: '1970-01-01T00:00:05.000Z',
  })
})

test('resumedView names no chunk when none is missing, and the next one while the length is deferred', () => {
  const ledger = Ledger.of([anEntry(0), anEntry(1), anEntry(2, { size: 2 })])
  expect(resumedView(progressOf(anUpload({ ledger }), 0)).nextChunkNumber).toBeNull()
  expect(resumedView(progressOf(deferred, 0)).nextChunkNumber).toBe(1)
})
