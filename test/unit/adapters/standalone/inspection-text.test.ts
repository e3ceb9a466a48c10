import { describe, expect, test } from 'vitest'
import { inspectionText } from '../../../../adapters/standalone/inspection-text.ts'
import type { Inspection } from '../../../../src/storage/file/index.ts'

const ID = '48bc476c-c29a-4d2f-809a-a6830126d3a7'
const CREATED = Date.parse('2026-01-02T03:04:05.678Z')

const INSPECTION: Inspection = {
  id: ID,
  status: 'uploading',
  manifest: {
    version: 1,
    id: ID,
    fileId: '5c484b4b-645c-4f90-a50f-6f40c68a7067',
    owner: 'ann',
    fileName: 'big\u001b.iso',
    contentType: 'application/x-iso9660-image',
    metadata: { a: 1 },
    attributes: {},
    chunkSize: 1024,
    size: 4000,
    checksum: null,
    createdAt: CREATED,
  },
  size: 4000,
  endedAt: null,
  digest: null,
  totalChunks: 4,
  durableBytes: 1524,
  offset: 500,
  chunks: [{ number: 2, size: 1024, sha256: 'cc', at: CREATED + 1000 }],
  ranges: [[2, 2]],
  tail: { number: 0, size: 500, sha256: 'aa' },
  missing: [
    [0, 1],
    [3, 3],
  ],
  directory: '/data',
  journal: { path: '/data/journal', bytes: 99, lines: 3, tornBytes: 7, trusted: false },
  data: { path: '/data/data', bytes: 3072 },
  file: null,
  record: null,
  owner: { pid: 12, draining: true, running: true },
}

describe('inspectionText', () => {
  test('tells everything of an unfinished upload', () => {
    expect(inspectionText(INSPECTION, CREATED + 3 * 3_600_000)).toBe(`Upload ${ID}: uploading
  file          "big\\u001b.iso", application/x-iso9660-image
  file id       5c484b4b-645c-4f90-a50f-6f40c68a7067
  owner         "ann"
  size          4000 bytes (3.9 KiB)
  chunks        4 of 1024 bytes (1.0 KiB)
  metadata      {"a":1}
  SHA-256       not computed yet

Ledger
  durable       1524 bytes (1.5 KiB), 38.10 %
  chunks        1 of 4: 2
  tail          500 bytes of chunk 0, SHA-256 aa
  missing       0-1, 3
  tus offset    500

Times
  created       2026-01-02T03:04:05.678Z (3 h ago)
  last chunk    2026-01-02T03:04:06.678Z (2 h ago)
  ended         no
  expires       only the server knows: resumes are not kept on disk, and a restart counts anew

Disk, in /data
  journal       /data/journal, 99 bytes, 3 lines, then 7 bytes of an unfinished one
                written before the last boot or a failed fsync: the server reads the bytes again before it counts them
  data          /data/data, 3072 bytes (3.0 KiB)
  finished file none
  its record    none
  server        process 12 is running and shuts down
`)
  })

  test('says of a deferred length what cannot be known', () => {
    const deferred = { ...INSPECTION, size: null, totalChunks: null, missing: [] }
    const text = inspectionText(deferred, CREATED)
    expect(text).toContain('  size          not known yet (deferred)\n')
    expect(text).toContain('  chunks        as many as come of 1024 bytes (1.0 KiB)\n')
    expect(text).toContain('  missing       not known until the length is\n')
  })

  test('tells of a finished file', () => {
    const { fileId, fileName, owner, contentType, metadata } = INSPECTION.manifest
    const text = inspectionText(
      {
        ...INSPECTION,
        status: 'uploaded',
        endedAt: CREATED + 5000,
        digest: 'dd',
        missing: [],
        tail: null,
        data: null,
        file: { path: '/data/files/x', bytes: 4000 },
        record: {
          id: fileId,
          uploadId: ID,
          owner,
          name: fileName,
          size: 4000,
          contentType,
          metadata,
          uploadedAt: 1,
          checksum: 'dd',
        },
        owner: null,
      },
      CREATED + 6000,
    )
    expect(text).toContain('  SHA-256       dd\n')
    expect(text).toContain('  missing       none\n')
    expect(text).toContain('  ended         2026-01-02T03:04:10.678Z (1 s ago)\n')
    expect(text).not.toContain('  expires ')
    expect(text).toContain('  finished file /data/files/x, 4000 bytes (3.9 KiB)\n')
    expect(text).toContain('  its record    4000 bytes (3.9 KiB), SHA-256 dd\n')
    expect(text).toContain('  server        none has the directory\n')
  })
})
