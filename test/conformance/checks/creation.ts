import { randomBytes } from 'node:crypto'
import { type Chapter, type Check, given, must } from '../check.ts'
import { metadataPairs } from '../metadata.ts'
import { mustRefuse, type Session, told } from '../session.ts'

const CREATED = 'The Server MUST acknowledge a successful upload creation with the `201 Created` status.'
const LOCATION = 'The Server MUST set the `Location` header to the URL of the created resource.'
const IMPLICIT =
  'The new resource has an implicit offset of `0` allowing the Client to use the core protocol for performing the actual upload.'
const ONE_OF =
  'The Client MUST send a `POST` request against a known upload creation URL to request a new upload resource. The request MUST include one of the following headers:'
const LENGTH =
  'The `Upload-Length` request and response header indicates the size of the entire upload in bytes. The value MUST be a non-negative integer.'
const TOO_LARGE =
  'If the length of the upload exceeds the maximum, which MAY be specified using the `Tus-Max-Size` header, the Server MUST respond with the `413 Request Entity Too Large` status.'
const METADATA =
  'If an upload contains additional metadata, responses to `HEAD` requests MUST include the `Upload-Metadata` header and its value as specified by the Client during the creation.'
const EMPTY_VALUE =
  'The value MAY be empty. In these cases, the space, which would normally separate the key and the value, MAY be left out.'
const PAIRS =
  'The `Upload-Metadata` request and response header MUST consist of one or more comma-separated key-value pairs.'
const UNIQUE = 'All keys MUST be unique.'
const BASE64 = 'The key SHOULD be ASCII encoded and the value MUST be Base64 encoded.'
const SMUGGLING =
  'Since metadata can contain arbitrary binary values, Servers SHOULD carefully validate metadata values or sanitize them before using them as header values to avoid header smuggling.'

function base64(value: Uint8Array | string): string {
  return Buffer.from(value).toString('base64')
}

const badLengths: readonly Check[] = ['-1', '1.5', 'large', '0x10', '1e3', ''].map((value) => ({
  title: `refuses Upload-Length ${JSON.stringify(value)}`,
  level: 'MUST',
  quote: LENGTH,
  run: async (tus) => mustRefuse(await tus.post({ headers: { 'Upload-Length': value } })),
}))

/** Metadata that comes back as it was sent. */
function comesBack(title: string, header: string, quote = METADATA): Check {
  return {
    title,
    level: 'MUST',
    quote,
    run: async (tus) => {
      const url = await tus.create({ headers: { 'Upload-Metadata': header } })
      const told = (await tus.status(url)).headers['upload-metadata']
      must(told !== undefined, 'there is no Upload-Metadata')
      const sent = metadataPairs(header)
      const came = metadataPairs(String(told))
      must(sent !== null && came !== null, `Upload-Metadata is ${String(told)}`)
      must(sent.size === came.size, `Upload-Metadata is ${String(told)}`)
      for (const [key, value] of sent) must(came.get(key) === value, `Upload-Metadata is ${String(told)}`)
    },
  }
}

/** Metadata that is none: it may be refused, or left out, but must not be told to anybody. */
function neverTold(title: string, header: string, quote: string): Check {
  return {
    title,
    level: 'MUST',
    quote,
    run: async (tus) => {
      const answer = await tus.post({ headers: { 'Upload-Length': 5, 'Upload-Metadata': header } })
      if (answer.status !== 201) return mustRefuse(answer)
      const came = (await tus.status(tus.locationOf(answer))).headers['upload-metadata']
      must(came === undefined || metadataPairs(String(came)) !== null, `it is told as ${String(came)}`)
    },
  }
}

async function smuggled(tus: Session, value: string): Promise<void> {
  const header = `filename ${base64(value)},filetype ${base64(value)},name ${base64(value)}`
  const answer = await tus.post({ headers: { 'Upload-Length': 1, 'Upload-Metadata': header } })
  if (answer.status !== 201) return mustRefuse(answer)
  const url = tus.locationOf(answer)
  await tus.append(url, 0, Buffer.from('a'))
  for (const { headers } of [answer, await tus.status(url), await tus.send('GET', url)]) {
    must(headers['x-smuggled'] === undefined, 'a line of the value became a header')
  }
}

export const creation: Chapter = {
  name: 'creation',
  extension: 'creation',
  checks: [
    {
      title: 'answers 201',
      level: 'MUST',
      quote: CREATED,
      run: async (tus) => {
        const answer = await tus.post({ headers: { 'Upload-Length': 100, 'Content-Length': 0 } })
        must(answer.status === 201, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'says the URL in Location',
      level: 'MUST',
      quote: LOCATION,
      run: async (tus) => {
        const url = tus.locationOf(await tus.post({ headers: { 'Upload-Length': 100 } }))
        must((await tus.head(url)).status === 200, 'there is no upload at Location')
      },
    },
    {
      title: 'makes another upload for each POST',
      level: 'MUST',
      quote: LOCATION,
      run: async (tus) => {
        const [one, other] = await Promise.all([tus.create(), tus.create()])
        must(one !== other, 'two creations have the same Location')
        await tus.append(one, 0, Buffer.from('hello'))
        await tus.mustBeAt(other, 0)
      },
    },
    {
      title: 'begins at offset 0 and takes the core protocol',
      level: 'MUST',
      quote: IMPLICIT,
      run: async (tus) => {
        const url = await tus.create({ length: 5 })
        await tus.mustBeAt(url, 0)
        await tus.append(url, 0, Buffer.from('hello'))
        await tus.mustBeAt(url, 5)
      },
    },
    {
      title: 'creates an upload of no bytes, which is complete',
      level: 'MUST',
      quote: LENGTH,
      run: async (tus) => {
        const { headers } = await tus.status(await tus.create({ length: 0 }))
        must(headers['upload-length'] === '0', `Upload-Length is ${String(headers['upload-length'])}`)
        must(headers['upload-offset'] === '0', `Upload-Offset is ${String(headers['upload-offset'])}`)
      },
    },
    {
      title: 'refuses a creation without a length',
      level: 'MUST',
      quote: ONE_OF,
      run: async (tus) => mustRefuse(await tus.post()),
    },
    {
      title: 'refuses a creation with a length that is also deferred',
      level: 'SHOULD',
      quote: ONE_OF,
      run: async (tus) => mustRefuse(await tus.post({ headers: { 'Upload-Length': 5, 'Upload-Defer-Length': '1' } })),
    },
    ...badLengths,
    {
      title: 'says no Location where it has refused',
      level: 'MUST',
      quote: LOCATION,
      run: async (tus) => {
        const { headers } = await tus.post({ headers: { 'Upload-Length': '-1' } })
        must(headers.location === undefined, 'Location is there')
      },
    },
    {
      title: 'answers 413 to a length above its maximum',
      level: 'MUST',
      quote: TOO_LARGE,
      run: async (tus) => {
        const { maxSize } = tus.advertised
        given(maxSize !== null, 'it says no Tus-Max-Size')
        const answer = await tus.post({ headers: { 'Upload-Length': maxSize + 1 } })
        must(answer.status === 413, `it is answered ${told(answer)}`)
      },
    },
    {
      title: 'creates an upload of its maximum',
      level: 'MUST',
      quote: CREATED,
      run: async (tus) => {
        const { maxSize } = tus.advertised
        given(maxSize !== null, 'it says no Tus-Max-Size')
        await tus.create({ length: maxSize })
      },
    },
    comesBack('tells metadata to HEAD', `filename ${base64('world_domination_plan.pdf')}`),
    comesBack(
      'tells metadata of several keys',
      `filename ${base64('ä.txt')},filetype ${base64('a/b')},n ${base64('1')}`,
    ),
    comesBack('tells metadata beyond Latin-1', `filename ${base64('słońce 日本 🎉')}`),
    comesBack('tells metadata that is no text', `blob ${base64(randomBytes(60))}`),
    comesBack('tells a key without a value', `filename ${base64('a.pdf')},is_confidential`, EMPTY_VALUE),
    comesBack('tells a value that is empty after its space', `is_confidential ,filename ${base64('a')}`, EMPTY_VALUE),
    comesBack('tells keys that are names of object properties', `constructor ${base64('a')},__proto__ ${base64('b')}`),
    {
      title: 'tells metadata of a completed upload',
      level: 'MUST',
      quote: METADATA,
      run: async (tus) => {
        const header = `filename ${base64('a.txt')}`
        const url = await tus.createFull(Buffer.from('hello'), { 'Upload-Metadata': header })
        const came = (await tus.status(url)).headers['upload-metadata']
        must(came === header, `Upload-Metadata is ${String(came)}`)
      },
    },
    {
      title: 'says no Upload-Metadata where there was none',
      level: 'MUST',
      quote: PAIRS,
      run: async (tus) => {
        const came = (await tus.status(await tus.create())).headers['upload-metadata']
        must(came === undefined || metadataPairs(String(came)) !== null, `Upload-Metadata is ${String(came)}`)
      },
    },
    neverTold('refuses, or does not tell, a key that comes twice', `a ${base64('1')},a ${base64('2')}`, UNIQUE),
    neverTold('refuses, or does not tell, a value that is not Base64', 'filename %%%', BASE64),
    neverTold('refuses, or does not tell, an empty key', `filename ${base64('a')},, b`, PAIRS),
    neverTold('refuses, or does not tell, a pair of three', `filename ${base64('a')} ${base64('b')}`, PAIRS),
    {
      title: 'makes no header of a value with a line end',
      level: 'SHOULD',
      quote: SMUGGLING,
      run: (tus) => smuggled(tus, 'a\r\nX-Smuggled: 1'),
    },
    {
      title: 'makes no header of a value with a quote and a line end',
      level: 'SHOULD',
      quote: SMUGGLING,
      run: (tus) => smuggled(tus, 'a"\nX-Smuggled: 1\n\n'),
    },
  ],
}
