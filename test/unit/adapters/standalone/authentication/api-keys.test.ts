import * as crypto from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { authenticateByKey } from '../../../../../adapters/standalone/authentication/api-keys.ts'

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof crypto>()
  return { ...real, timingSafeEqual: vi.fn<typeof real.timingSafeEqual>(real.timingSafeEqual) }
})

const authenticate = authenticateByKey([
  { name: 'ann', key: 'key-of-ann' },
  { name: 'bob', key: 'key:of:bob' },
  { name: 'ann', key: 'new-key-of-ann' },
])

describe('a key', () => {
  it.each([
    [{ authorization: 'Bearer key-of-ann' }, 'ann'],
    [{ authorization: 'bearer new-key-of-ann' }, 'ann'],
    [{ 'x-api-key': 'key:of:bob' }, 'bob'],
    // A proxy may have filled in the other.
    [{ 'x-api-key': 'key:of:bob', authorization: 'Bearer key-of-ann' }, 'bob'],
  ])('says who sends %j', (headers, id) => {
    expect(authenticate({ headers })).toEqual({ id })
  })

  it.each([
    [{}],
    [{ authorization: '' }],
    [{ authorization: 'key-of-ann' }],
    [{ authorization: 'Basic a2V5LW9mLWFubg==' }],
    [{ 'x-api-key': '' }],
  ])('is none in %j', (headers) => {
    expect(authenticate({ headers })).toBeNull()
  })

  it.each([
    [{ 'x-api-key': 'ann' }],
    [{ 'x-api-key': 'ann:key-of-ann' }],
    [{ 'x-api-key': 'key-of-an' }],
    [{ 'x-api-key': 'key-of-ann1' }],
    [{ 'x-api-key': 'KEY-OF-ANN' }],
    [{ 'x-api-key': 'key-of-ann, key-of-ann' }],
    [{ 'x-api-key': 'wrong', authorization: 'Bearer key-of-ann' }],
    [{ authorization: 'Bearer undefined' }],
  ])('is wrong in %j', (headers) => {
    const refused = {
      code: 'UNAUTHENTICATED',
      message: 'The API key is not valid.',
      details: { error: 'invalid_token' },
    }
    expect(() => authenticate({ headers })).toThrow(expect.objectContaining(refused))
  })

  it('is compared with every other in full, whichever fits', () => {
    const compare = vi.mocked(crypto.timingSafeEqual)
    for (const key of ['key-of-ann', 'new-key-of-ann', 'k', 'k'.repeat(5000)]) {
      compare.mockClear()
      try {
        authenticate({ headers: { 'x-api-key': key } })
      } catch {
        // Some are wrong.
      }
      expect(compare.mock.calls.map((pair) => pair.map(({ byteLength }) => byteLength))).toEqual(
        Array.from({ length: 3 }, () => [32, 32]),
      )
    }
  })
})
