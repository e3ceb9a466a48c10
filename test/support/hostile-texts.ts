import fc from 'fast-check'

/** What a header's value is made of, and what it must not hold. */
const LETTERS = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))
/** What parsers look for. */
const MARKS = fc.constantFrom(
  ...Array.from(',;:="\\/ \t*-+.?%&'),
  '\u0000',
  '\n',
  '\r\n',
  '\u00a0',
  '\u00ff',
  '%00',
  '--',
  '0',
  '9',
)
const EDGES = fc.constantFrom(
  '',
  ' ',
  '0',
  '-0',
  '-1',
  '+1',
  '1e3',
  '0x10',
  '00',
  '1.0',
  'NaN',
  'Infinity',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551616',
  '9'.repeat(400),
  'null',
  'undefined',
  'true',
  '__proto__',
  'constructor',
  '[object Object]',
  '*',
  '"',
  '""',
  '\\"',
  ',,,,',
  ';;;;',
  '====',
  '::::',
)

/** One that is right, with something cut out of it and something else put there, once or a few times. */
function spoilt(right: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(LETTERS, MARKS, EDGES, fc.string({ unit: LETTERS, maxLength: 8 }))
  const wounds = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 6 }), piece), { minLength: 1, maxLength: 4 })
  return fc.tuple(fc.constantFrom(...right), wounds).map(([text, all]) =>
    all.reduce((now, [at, length, put]) => {
      const from = at % (now.length + 1)
      return now.slice(0, from) + put + now.slice(from + length)
    }, text),
  )
}

/** The same piece again and again: what a careless expression takes ages for. */
function repeated(right: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(MARKS, fc.constantFrom(...right), fc.string({ unit: LETTERS, minLength: 1, maxLength: 3 }))
  return fc
    .tuple(fc.constantFrom('', ...right), piece, fc.integer({ min: 2, max: 4000 }), fc.constantFrom('', '!', ...right))
    .map(([before, one, count, after]) => `${before}${one.repeat(count)}`.slice(0, 12_000) + after)
}

/** Values that a header may come with, around those that are right. */
export function hostileTexts(...right: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(...right),
    EDGES,
    spoilt(right),
    repeated(right),
    fc.string({ unit: LETTERS, maxLength: 60 }),
    fc.array(fc.constantFrom(...right), { minLength: 2, maxLength: 5 }).map((all) => all.join(', ')),
  )
}
