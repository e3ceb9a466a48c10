import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { uploadKey } from '../../../src/redis/key.ts'

/** What Redis hashes of a key, by the rules of its Cluster: the first `{…}` that is not empty, else all. */
function hashed(key: string): string {
  const open = key.indexOf('{')
  const close = key.indexOf('}', open + 1)
  return open < 0 || close <= open + 1 ? key : key.slice(open + 1, close)
}

const ids = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '{', '}', '%', ':', '7', 'B', 'D', '5') }),
  fc.string({ unit: 'grapheme' }),
)

describe('uploadKey', () => {
  it('names what it holds, for a reader', () => {
    expect(uploadKey('holdfast:', '01J-x_y', 'lock')).toBe('holdfast:{01J-x_y}:lock')
  })

  it('puts all keys of an upload in one slot, and tells those of two uploads apart', () => {
    fc.assert(
      fc.property(ids, ids, (id, other) => {
        const lock = uploadKey('p:', id, 'lock')
        expect(hashed(lock)).toBe(hashed(uploadKey('p:', id, 'chunks')))
        expect(lock === uploadKey('p:', other, 'lock')).toBe(id === other)
      }),
    )
  })
})
