import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  parseCount,
  parseDuration,
  parsePort,
  parseSize,
  parseSwitch,
  parseTimer,
  WRONG,
} from '../../../../adapters/standalone/parse-values.ts'

describe('parseSize', () => {
  test.each([
    ['1000', 1000],
    ['5MiB', 5 * 2 ** 20],
    ['50GiB', 50 * 2 ** 30],
    ['1 KiB', 1024],
    ['5mb', 5_000_000],
    ['7B', 7],
    ['2TiB', 2 * 2 ** 40],
  ])('%j is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  test.each(['', '0', '-1', '1.5GiB', '5 M iB', '5MiBs', '1e3', '0x10', 'GiB', '9007199254740992', '9999999TiB', '5M'])(
    'does not allow %j',
    (text) => {
      expect(parseSize(text)).toBe(WRONG)
    },
  )
})

describe('parseDuration', () => {
  test.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ])('%j is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(['', '0s', '10', '-1s', '1.5h', '1 h', '1H', '1w', 's'])('does not allow %j', (text) => {
    expect(parseDuration(text)).toBe(WRONG)
  })

  test('parseTimer allows what a timer of Node can run', () => {
    expect(parseTimer('24d')).toBe(24 * 86_400_000)
    expect(parseTimer('25d')).toBe(WRONG)
  })
})

test('parsePort allows 0 to 65535', () => {
  fc.assert(
    fc.property(fc.integer({ min: -10, max: 70_000 }), (port) => {
      expect(parsePort(String(port))).toBe(port >= 0 && port <= 65_535 ? port : WRONG)
    }),
  )
})

test.each(['', 'x', '1.0', ' 1', '1e3', '000001'])('parsePort does not allow %j', (text) => {
  expect(parsePort(text)).toBe(WRONG)
})

test('parseSwitch and parseCount allow what they say', () => {
  expect(['on', 'true', '1', 'off', 'false', '0'].map(parseSwitch)).toEqual([true, true, true, false, false, false])
  expect(['', 'yes', 'ON'].map(parseSwitch)).toEqual([WRONG, WRONG, WRONG])
  expect(['10000', '0', '1.5', '-1', '5MiB'].map(parseCount)).toEqual([10_000, WRONG, WRONG, WRONG, WRONG])
})
