import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger.ts'
import { applyChange, type Change, type StoredUpload, type UploadStatus } from '../../src/upload.ts'

const chunk = { type: 'chunk', entry: { number: 0, size: 10, sha256: 'a', at: 1 } } as const
const ended = (status: 'uploaded' | 'cancelled' | 'expired' | 'failed') => ({ type: 'ended', status, at: 9 }) as const

function upload(status: UploadStatus, size: number | null = 20): StoredUpload {
  return {
    manifest: {
      version: 1,
      id: 'id',
      fileId: 'file',
      owner: null,
      fileName: 'a',
      contentType: 'text/plain',
      metadata: {},
      attributes: {},
      chunkSize: 10,
      size,
      checksum: null,
      createdAt: 0,
    },
    size,
    status,
    endedAt: null,
    digest: null,
    ledger: new Ledger(),
  }
}

describe('the states of an upload', () => {
  it('begins with its first byte', () => {
    expect(applyChange(upload('initiated'), chunk).status).toBe('uploading')
    expect(applyChange(upload('initiated'), { type: 'tail', tail: { number: 0, size: 1, sha256: 'x' } }).status).toBe(
      'uploading',
    )
  })

  it.each([
    ['initiated', 'cancelled'],
    ['uploading', 'cancelled'],
    ['initiated', 'expired'],
    ['uploading', 'expired'],
    ['completing', 'uploaded'],
    ['completing', 'failed'],
  ] as const)('goes from %s to %s', (from, to) => {
    expect(applyChange(upload(from), ended(to))).toMatchObject({ status: to, endedAt: 9 })
  })

  it.each([
    ['completing', 'expired'],
    ['uploaded', 'expired'],
    ['uploaded', 'failed'],
    ['uploaded', 'cancelled'],
  ] as const)('does not go from %s to %s', (from, to) => {
    expect(() => applyChange(upload(from), ended(to))).toThrow(expect.objectContaining({ code: 'UPLOAD_COMPLETED' }))
  })

  it('takes a finished file away only where that is meant', () => {
    const change = { ...ended('expired'), ofFile: true } as const
    expect(applyChange(upload('uploaded'), change)).toMatchObject({ status: 'expired', endedAt: 9 })
    const removal = { ...ended('cancelled'), ofFile: true } as const
    expect(applyChange(upload('uploaded'), removal)).toMatchObject({ status: 'cancelled', endedAt: 9 })
    expect(() => applyChange(upload('completing'), change)).toThrow(
      expect.objectContaining({ code: 'UPLOAD_COMPLETED' }),
    )
  })

  it.each([
    ['cancelled', 'UPLOAD_CANCELLED'],
    ['expired', 'UPLOAD_EXPIRED'],
    ['failed', 'UPLOAD_FAILED'],
  ] as const)('takes nothing more once it is %s', (status, code) => {
    const changes: Change[] = [chunk, { type: 'completing' }, ended('uploaded'), { type: 'touch' }]
    for (const change of changes) {
      expect(() => applyChange(upload(status), change)).toThrow(expect.objectContaining({ code }))
    }
    expect(applyChange(upload(status), ended(status)).status).toBe(status)
  })

  it('takes no new chunk and no tail after completion has begun, and no harm from a chunk that is there', () => {
    const completing = upload('completing')
    expect(() => applyChange(completing, chunk)).toThrow(expect.objectContaining({ code: 'UPLOAD_COMPLETED' }))
    expect(() => applyChange(completing, { type: 'tail', tail: { number: 0, size: 1, sha256: 'x' } })).toThrow()
    completing.ledger.add(chunk.entry)
    expect(applyChange(completing, chunk).status).toBe('completing')
  })

  it('learns a deferred length once, not below what is stored', () => {
    const open = applyChange(upload('uploading', null), {
      type: 'chunk',
      entry: { number: 2, size: 10, sha256: 'c', at: 1 },
    })
    const length = (size: number) => ({ type: 'length', size, at: 1 }) as const
    expect(() => applyChange(open, length(29))).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
    const known = applyChange(open, length(30))
    expect(known.size).toBe(30)
    expect(applyChange(known, length(30)).size).toBe(30)
    expect(() => applyChange(known, length(31))).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })

  it('makes the tail the last chunk when the length ends with it', () => {
    const open = applyChange(upload('uploading', null), { type: 'tail', tail: { number: 0, size: 4, sha256: 't' } })
    const known = applyChange(open, { type: 'length', size: 4, at: 5 })
    expect(known.ledger.chunks.get(0)).toEqual({ number: 0, size: 4, sha256: 't', at: 5 })
    expect(known.ledger.tail).toBeNull()
  })

  it('keeps the first digest it is told', () => {
    const once = applyChange(upload('completing'), { type: 'digest', sha256: 'one' })
    expect(applyChange(once, { type: 'digest', sha256: 'two' }).digest).toBe('one')
  })
})
