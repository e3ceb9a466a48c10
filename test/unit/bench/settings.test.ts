import { expect, it } from 'vitest'
import { readSettings } from '../../bench/settings.ts'

it('measures all of it, with a gibibyte a run, unless told otherwise', () => {
  const { only, rounds, bytes, s3Bytes, write } = readSettings({})
  expect([only.length, rounds, bytes, s3Bytes, write]).toEqual([8, 5, 2 ** 30, 2 ** 28, true])
})

it('takes parts in the order in which they run', () => {
  const settings = readSettings({ BENCH_ONLY: 's3, disk', BENCH_MIB: '16', BENCH_WRITE: 'no' })
  expect(settings).toMatchObject({ only: ['disk', 's3'], bytes: 2 ** 24, s3Bytes: 2 ** 24, write: false })
})

it.each([
  [{ BENCH_ONLY: 'disc' }, 'BENCH_ONLY names disc'],
  [{ BENCH_ROUNDS: '0' }, 'BENCH_ROUNDS is 0'],
  [{ BENCH_MIB: 'many' }, 'BENCH_MIB is many'],
])('refuses %j in one line', (variables, line) => {
  expect(() => readSettings(variables)).toThrow(line)
})
