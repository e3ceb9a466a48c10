import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CHECKSUM_ALGORITHMS, createChecksum, DIGEST_BYTES } from '../../../src/checksum/algorithms.ts'

describe.each(CHECKSUM_ALGORITHMS)('%s', (algorithm) => {
  it('is the same however the bytes are cut, and may be asked for in between', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (pieces) => {
        const whole = createChecksum(algorithm)
        const cut = createChecksum(algorithm)
        whole.update(Buffer.concat(pieces))
        for (const piece of pieces) {
          cut.update(Buffer.from(piece))
          cut.digest()
        }
        expect(cut.digest()).toEqual(whole.digest())
        expect(cut.digest()).toHaveLength(DIGEST_BYTES[algorithm])
      }),
    )
  })
})

it('has the check value of CRC-32, its most significant byte first', () => {
  const checksum = createChecksum('crc32')
  expect(checksum.digest().toString('hex')).toBe('00000000')
  // The "check" of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
  checksum.update(Buffer.from('123456789'))
  expect(checksum.digest().toString('hex')).toBe('cbf43926')
})

it.each(['sha1', 'sha256', 'sha512', 'md5'] as const)('has the %s that everybody has', (algorithm) => {
  const checksum = createChecksum(algorithm)
  checksum.update(Buffer.from('hello world'))
  expect(checksum.digest()).toEqual(createHash(algorithm).update('hello world').digest())
})
