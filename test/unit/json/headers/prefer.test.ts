import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_WAIT_S, parsePreferWait } from '../../../../src/json/headers/prefer.ts'

describe('parsePreferWait', () => {
  test('reads the seconds, and grants no more than a minute', () => {
    const others = fc.array(
      fc.constantFrom('respond-async', 'return=minimal', 'foo="a, wait=9"', 'x=";"; y', 'waiting=1'),
    )
    fc.assert(
      fc.property(fc.nat(), others, others, (seconds, before, after) => {
        const text = [...before, `wait=${seconds}`, ...after].join(', ')
        expect(parsePreferWait(text)).toBe(Math.min(seconds, MAX_WAIT_S))
      }),
    )
  })

  test.each([
    ['wait=5', 5],
    ['Wait = 5', 5],
    ['wait="5"', 5],
    ['wait=5; x=y', 5],
    ['wait=0', 0],
    ['wait=3, wait=9', 3],
    ['respond-async,wait=61', 60],
    ['wait=99999999999999999999', 60],
  ])('reads %j as %d', (text, seconds) => {
    expect(parsePreferWait(text)).toBe(seconds)
  })

  test.each([
    undefined,
    '',
    'wait',
    'wait=',
    'wait=-1',
    'wait=1.5',
    'wait=x',
    'wait=x, wait=5',
    'foo="wait=5"',
    '"wait=5',
  ])('passes over %j', (text) => {
    expect(parsePreferWait(text)).toBeUndefined()
  })

  test('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'wait=5";, \\x'.split('')) }), (text) => {
        const seconds = parsePreferWait(text)
        expect(seconds === undefined || (seconds >= 0 && seconds <= MAX_WAIT_S)).toBe(true)
      }),
    )
  })
})
