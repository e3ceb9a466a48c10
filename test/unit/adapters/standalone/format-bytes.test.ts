import { expect, it } from 'vitest'
import { formatBytes } from '../../../../adapters/standalone/format-bytes.ts'

it('writes bytes as people read them', () => {
  const amounts = [0, 1, 1023, 1024, 12_900_000, 5 * 1024 ** 3, 2 ** 53]
  expect(amounts.map(formatBytes)).toEqual([
    '0 bytes',
    '1 bytes',
    '1023 bytes',
    '1.0 KiB',
    '12.3 MiB',
    '5.0 GiB',
    '8.0 PiB',
  ])
})
