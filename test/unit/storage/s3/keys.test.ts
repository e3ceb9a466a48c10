import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { isId, Keys } from '../../../../src/storage/s3/keys.ts'

describe('Keys', () => {
  const id = randomUUID()
  const fileId = randomUUID()

  it.each(['', 'holdfast/', 'a/b/'])('puts all that is ours below the prefix "%s"', (prefix) => {
    const keys = new Keys(prefix)
    expect([
      keys.manifest(id),
      keys.fact(id, 'length'),
      keys.tail(id),
      keys.record(fileId),
      keys.file(fileId, id),
    ]).toEqual([
      `${prefix}uploads/${id}/manifest`,
      `${prefix}uploads/${id}/length`,
      `${prefix}uploads/${id}/tail/`,
      `${prefix}records/${fileId}`,
      `${prefix}files/${fileId}/${id}`,
    ])
  })

  it('tells the upload of a file and of what is in its folder', () => {
    const keys = new Keys('p/')
    expect(keys.uploadOf(keys.file(fileId, id))).toBe(id)
    expect(keys.folderOf(keys.manifest(id))).toBe(id)
    expect(keys.folderOf(keys.upload(id))).toBe(id)
  })

  it('takes no other key for one of ours', () => {
    const keys = new Keys('p/')
    for (const key of [
      `files/${fileId}/${id}`,
      `p/files/${fileId}`,
      `p/files/${fileId}/${id}/more`,
      `p/files/x/${id}`,
      `p/files/${fileId}/x`,
      'p/files/',
    ]) {
      expect(keys.uploadOf(key)).toBeNull()
    }
    for (const key of [`uploads/${id}/manifest`, 'p/uploads/', 'p/uploads/x/manifest', `p/claims/${id}`]) {
      expect(keys.folderOf(key)).toBeNull()
    }
  })

  it('makes any text a name of a claim', () => {
    const keys = new Keys('p/')
    for (const text of ['', '../x', 'ü\0', 'a'.repeat(5000)]) {
      expect(keys.claim(text)).toMatch(/^p\/claims\/[0-9a-f]{64}$/)
    }
  })

  it('takes nothing but a UUID as we draw it for an id', () => {
    expect(isId(id)).toBe(true)
    for (const other of ['', '..', id.toUpperCase(), `${id}\n`, `${id}/..`, '-'.repeat(36)])
      expect(isId(other)).toBe(false)
  })
})
