import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { EXPOSED_HEADERS, REQUEST_HEADERS } from '../../../adapters/cors.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** What speaks HTTP with clients; storages speak it with others. */
const ROOMS = [
  'adapters',
  'src/tus',
  'src/json',
  'src/downloads',
  'src/checksum',
  'src/error-headers.ts',
  'src/http.ts',
]
/** They tell of headers, and neither read nor send any, or are the other end. */
const TELLERS = /openapi\/|documentation\/|adapters\/cors\.ts$|adapters\/client\/|page\/browser\/|standalone\/upload\//

/** Request headers that pages send without asking, or that browsers and proxies write. */
const SENT_ANYWAY = [
  'access-control-request-method',
  'access-control-request-private-network',
  'content-encoding', // Only to refuse it.
  'content-length',
  'origin',
  'trailer',
  'transfer-encoding',
  'x-forwarded-host',
  'x-forwarded-proto',
]

/** Response headers that pages may read without being told, or that are for browsers and caches. */
const READ_ANYWAY = [
  'cache-control',
  'connection',
  'content-length',
  'content-security-policy',
  'content-type',
  'last-modified',
  'referrer-policy',
  'vary',
  'x-accel-buffering',
  'x-content-type-options',
]

async function sources(): Promise<{ readonly path: string; readonly text: string }[]> {
  const paths = await Promise.all(
    ROOMS.map(async (room) => {
      if (room.endsWith('.ts')) return [room]
      const names = await readdir(join(ROOT, room), { recursive: true })
      return names.filter((name) => name.endsWith('.ts')).map((name) => join(room, name))
    }),
  )
  const files = paths.flat().filter((path) => !TELLERS.test(path))
  return Promise.all(files.map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') })))
}

/** Names that patterns find in the sources, each with the first place where it stands. */
async function found(...patterns: readonly RegExp[]): Promise<Map<string, string>> {
  const names = new Map<string, string>()
  for (const { path, text } of await sources()) {
    for (const pattern of patterns) {
      for (const [, name = ''] of text.matchAll(pattern)) {
        const key = name.toLowerCase()
        if (!names.has(key)) names.set(key, path)
      }
    }
  }
  return names
}

/** Reads of a request: by index, by property, through the functions that read one. */
const READS = [
  /[hH]eaders\??\.?\['([a-z][\w-]+)'\]/g,
  /[hH]eaders\.(?!get\b|set\b|entries\b|append\b|ts\b)([a-z]+)\b(?!\()/g,
  /(?:headerText|wholeNumber)\([\w.]+, '([\w-]+)'/g,
  // Fields that are read as headers and as trailers.
  /\{ name: '([A-Z][\w-]+)', parse/g,
]

/** Writes of an answer: keys of its headers, and the list of those that are handed on. */
const WRITES = [
  /[hH]eaders\['([A-Z][\w-]+)'\] =/g,
  /^\s*(?:\.\.\.\([^)]*\{ )?'((?:[A-Z]\w*-)+[A-Z]\w*)':/gm,
  /[{,(]\s'?((?:[A-Z]\w*-)+[A-Z]\w*)'?: /g,
  /[{,(\s](ETag|Location|Allow|Link|Vary|Connection|Prefer|Deprecation|Sunset): /g,
  /(?:setHeader|header)\('([A-Z][\w-]*)'/g,
  /^ {2}'((?:[A-Z][a-z]*-)*[A-Z][a-z]*)',$/gm,
]

const lower = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase())

describe('Every header that the faces know', () => {
  it('may be sent by pages, where it is read', async () => {
    const known = new Set([...lower(REQUEST_HEADERS), ...SENT_ANYWAY])
    const reads = await found(...READS)
    expect(reads.size).toBeGreaterThan(15)
    expect([...reads].filter(([name]) => !known.has(name))).toEqual([])
    // The patterns do find what there is.
    expect([...reads.keys()]).toEqual(
      expect.arrayContaining(['upload-metadata', 'x-chunk-number', 'content-digest', 'prefer', 'if-range', 'range']),
    )
  })

  it('may be read by pages, where it is sent', async () => {
    const known = new Set([...lower(EXPOSED_HEADERS), ...READ_ANYWAY])
    const writes = [...(await found(...WRITES))].filter(([name]) => !name.startsWith('access-control-'))
    expect([...writes].filter(([name]) => !known.has(name))).toEqual([])
    expect(writes.map(([name]) => name)).toEqual(
      expect.arrayContaining(['upload-expires', 'location', 'retry-after', 'etag', 'repr-digest', 'tus-extension']),
    )
  })
})
