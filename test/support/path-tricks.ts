/** A way to write the target of a request otherwise, so that what guards it and what serves it may read it differently. */
export interface Target {
  readonly name: string
  readonly target: string
}

/** Paths that anybody may ask for. */
const OPEN = ['/healthz', '/documentation', '/files', '/x'] as const

/** Spellings of a segment of dots. */
const DOTS = [
  '.',
  '..',
  '...',
  '%2e',
  '%2E%2e',
  '.%2e',
  '%2e.',
  '%252e%252e',
  '%25252e%25252e',
  '..;',
  '..;x=1',
  '..%00',
  '..%20',
  '..%09',
  '%c0%ae%c0%ae',
  '%e0%80%ae%e0%80%ae',
  '%uff0e%uff0e',
  '%ef%bc%8e%ef%bc%8e',
  '\u2025',
] as const

/** Spellings of a slash. */
const SLASHES = [
  '//',
  '///',
  '/./',
  '/x/../',
  '/%2e/',
  '/;/',
  ';/',
  '/%20/',
  '%2f',
  '%2F',
  '%252f',
  '%25252f',
  '/%2f',
  '%5c',
  '%255c',
  '\\',
  '\\/',
  '/\\',
  '%c0%af',
  '%e0%80%af',
  '%ef%bc%8f',
  '\uff0f',
  '\u2215',
  '%u2215',
  '%u002f',
  '%00/',
  '/%00',
  '\t/',
  '%09/',
  '%0a/',
  '%0d%0a/',
] as const

/** What may be hung on a path. */
const ENDS = [
  '/',
  '//',
  '/.',
  '/..',
  '/./',
  '/%2e',
  '/..;/',
  '.',
  '..',
  ';',
  ';x=1',
  ';.css',
  '/;',
  '/;x',
  '.json',
  '.css',
  '/x.css',
  '/index.html',
  '~',
  '$',
  '*',
  '/*',
  '+',
  ':80',
  '%',
  '%zz',
  '%20',
  '%09',
  '%0a',
  '%0d%0aX-API-Key:%20ann',
  '%00',
  '%00.css',
  '%2500',
  '%3f',
  '%23',
  '%3b',
  '%26',
  '%2f',
  '%2f..',
  '%5c',
  '\\',
  '\\..\\',
  '\u200b',
  '%e2%80%8b',
  '%ef%bb%bf',
  '%e2%80%ae',
  '%ff',
  '?',
  '??',
  '?x=1',
  '?/../../healthz',
  '?/healthz',
  '?token=ann',
  '?access_token=ann',
  '?api_key=ann',
  '?user=ann',
  '?_method=GET',
  '?%00',
  '?id[]=x&id=y',
  '&x=1',
  '#',
  '#/healthz',
  '?#',
  ' ',
  ' x',
  '\t',
  '\u0000',
  '\u007f',
  '\u00ff',
  '\r\nX-API-Key: ann',
] as const

function encoded(text: string): string {
  return Array.from(text, (letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`).join('')
}

function isLetter(text: string): boolean {
  return /[a-z]/i.test(text)
}

/** Letters of other alphabets that fold, or normalise, to these. */
const FULLWIDTH = (letter: string): string => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0)

function spellingsOf(path: string): readonly string[] {
  const segments = path.split('/').slice(1)
  const at = (n: number, spell: (segment: string) => string): string =>
    segments.map((segment, index) => `/${index === n ? spell(segment) : segment}`).join('')
  const each = (spell: (segment: string) => string): readonly string[] => segments.map((_, n) => at(n, spell))
  return [
    ...each((segment) => encoded(segment[0] ?? '') + segment.slice(1)),
    ...each((segment) => segment.slice(0, -1) + encoded(segment.at(-1) ?? '')),
    ...each(encoded),
    ...each((segment) => encoded(segment).toUpperCase()),
    ...each((segment) => encoded(encoded(segment))),
    ...each((segment) => encoded(segment).replaceAll('%', '%25')),
    ...each((segment) => segment.toUpperCase()),
    ...each((segment) => segment.replace(/[a-z]/, (letter) => letter.toUpperCase())),
    ...each((segment) => segment.replace(/[a-z]/, FULLWIDTH)),
    ...each((segment) => segment.replace(/[0-9]/, FULLWIDTH)),
    ...each((segment) => segment.replace('s', '\u017f')),
    ...each((segment) => segment.replace('i', '\u0131')),
    ...each((segment) => `${segment};x=1`),
    ...each((segment) => `;${segment}`),
    ...each((segment) => `${segment}.`),
    ...each((segment) => `${segment}%20`),
    ...each((segment) => `%20${segment}`),
    ...each((segment) => `${segment}%00`),
    ...each((segment) => `${segment}\u200b`),
    ...each((segment) => segment.replaceAll('-', '%2d')),
    ...each((segment) => segment.replaceAll('-', '')),
    ...each((segment) => `{${segment}}`),
    ...each((segment) => `*,${segment}`),
    Array.from(path, (letter) => (isLetter(letter) ? encoded(letter) : letter)).join(''),
    `/${encoded(path.slice(1))}`,
    encoded(path),
    path.toUpperCase(),
  ]
}

function separatedBy(path: string, slash: string): readonly string[] {
  const segments = path.split('/').slice(1)
  const one = segments.map((_, n) => segments.map((segment, index) => (index === n ? slash : '/') + segment).join(''))
  return [...one, path.replaceAll('/', slash)]
}

function aroundDots(path: string, dots: string): readonly string[] {
  const last = path.split('/').at(-1) ?? ''
  return [
    `/${dots}${path}`,
    ...OPEN.map((open) => `${open}/${dots}${path}`),
    `/x/y/${dots}/${dots}${path}`,
    `/x/${dots}%2f${path.slice(1)}`,
    `/x/${dots}\\${path.slice(1)}`,
    `${path}/${dots}`,
    `${path}/${dots}/${last}`,
  ]
}

/** Forms of RFC 9112 section 3.2 beside a path, and what looks like them. */
function formsOf(path: string, host: string): readonly string[] {
  return [
    ...['http', 'HTTP', 'https', 'ftp', 'ws', 'x'].map((scheme) => `${scheme}://${host}${path}`),
    `http://evil.example${path}`,
    `http://ann@${host}${path}`,
    `http://ann:ann@${host}${path}`,
    `http://[::1]${path}`,
    `http://127.0.0.1:1${path}`,
    `http://${host}/healthz/..${path}`,
    `http://${host}//${path}`,
    `http://${host}\\${path}`,
    `http://${host}#${path}`,
    `http://${host}?${path}`,
    `http://${host};${path}`,
    `http:///${host}${path}`,
    `http://${path}`,
    `http:/${path}`,
    `http:${path}`,
    `://${host}${path}`,
    `//${host}${path}`,
    `//evil.example${path}`,
    `///${host}${path}`,
    `file://${path}`,
    path.slice(1),
    `*${path}`,
    `@${path}`,
    `?${path}`,
    `#${path}`,
    `;${path}`,
    `.${path}`,
    `..${path}`,
    '*',
  ]
}

function overlong(path: string): readonly string[] {
  return [
    `${path}?${'a'.repeat(8000)}`,
    `${path}?${'a'.repeat(20_000)}`,
    `${path}/${'a'.repeat(3000)}`,
    `${path};${'a'.repeat(3000)}`,
    `${'/'.repeat(2000)}${path}`,
    `${'/.'.repeat(1000)}${path}`,
    `${'/a/..'.repeat(500)}${path}`,
    `/${'a'.repeat(101)}/..${path}`,
  ]
}

/** Every way to write a path that is known here. The same ways, in the same order, for every path of as many segments. */
export function targetsFor(path: string, host: string): readonly Target[] {
  const named = (name: string, targets: readonly string[]): readonly Target[] =>
    targets.map((target) => ({ name: `${name}: ${target.slice(0, 200)}`, target }))
  return [
    ...named('as it is', [path]),
    ...named('spelt otherwise', spellingsOf(path)),
    ...SLASHES.flatMap((slash) => named(`slashes as ${JSON.stringify(slash)}`, separatedBy(path, slash))),
    ...DOTS.flatMap((dots) => named(`dots as ${JSON.stringify(dots)}`, aroundDots(path, dots))),
    ...named(
      'with an end',
      ENDS.map((end) => path + end),
    ),
    ...named('between semicolons', [`/;${path}`, `/;x${path}`, `/healthz;${path}`, `/healthz;/..${path}`]),
    ...named('in another form', formsOf(path, host)),
    ...named('overlong', overlong(path)),
  ]
}
