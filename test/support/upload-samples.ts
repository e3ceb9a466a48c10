import { createHash, randomUUID } from 'node:crypto'
import { type ChunkEntry, Ledger, type Tail } from '../../src/ledger.ts'
import type { Change, Manifest, StoredUpload, Upload } from '../../src/upload.ts'

/** A digest that stands for some bytes. */
export const sha256 = (bytes: string): string => createHash('sha256').update(bytes).digest('hex')

/** The manifest of a new upload; of 4-byte chunks, unless something else is asked for. */
export function aManifest(parts: Partial<Manifest> = {}): Manifest {
  return {
    version: 1,
    id: randomUUID(),
    fileId: randomUUID(),
    owner: 'alice',
    fileName: 'holiday.mov',
    contentType: 'video/quicktime',
    metadata: { album: 'summer' },
    attributes: { 'Upload-Metadata': 'filename aG9saWRheS5tb3Y=' },
    chunkSize: 4,
    size: 10,
    checksum: null,
    createdAt: 1_000,
    ...parts,
  }
}

/** An upload as it is after creation, with whatever is asked for. */
export function anUpload(parts: Partial<Upload> = {}): Upload {
  const manifest = parts.manifest ?? aManifest()
  return {
    manifest,
    size: manifest.size,
    status: 'initiated',
    endedAt: null,
    digest: null,
    ledger: new Ledger(),
    expiresAt: 5_000,
    ...parts,
  }
}

/** A durable chunk. */
export function anEntry(number: number, parts: Partial<ChunkEntry> = {}): ChunkEntry {
  return { number, size: 4, sha256: sha256(`chunk ${number}`), at: 2_000 + number, ...parts }
}

/** A tail. */
export function aTail(number: number, size: number): Tail {
  return { number, size, sha256: sha256(`${size} bytes of chunk ${number}`) }
}

/** The change that records a chunk. */
export const chunkChange = (number: number, parts: Partial<ChunkEntry> = {}): Change => ({
  type: 'chunk',
  entry: anEntry(number, parts),
})

/** An upload without classes, to be compared and kept: its ledger does not grow. */
export function plain<U extends StoredUpload>(upload: U) {
  const { chunks, tail } = upload.ledger
  return { ...upload, ledger: { chunks: [...chunks.values()].toSorted((a, b) => a.number - b.number), tail } }
}
