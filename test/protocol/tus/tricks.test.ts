import { describe, expect, it } from 'vitest'
import { OFFSET_OCTET_STREAM } from '../../support/tus-client.ts'
import { useServer } from './running-server.ts'

const IDS: readonly (readonly [string, string])[] = [
  ['an encoded slash', 'a%2Fb'],
  ['an encoded way to the folder above', '%2e%2e%2f%2e%2e%2fetc%2fpasswd'],
  ['an encoded backslash', '..%5C..%5Cowner.json'],
  ['200 characters', 'a'.repeat(200)],
  ['2000 characters', 'a'.repeat(2000)],
  ['NUL', 'a%00b'],
  ['an encoded line break', 'a%0d%0ab'],
  ['malformed percent-encoding', '%zz'],
  ['half of a percent-encoding', 'abc%'],
  ['an encoding that is not UTF-8', '%ff%fe'],
  ['a property of every object', '__proto__'],
  ['the name of the endpoint', 'files'],
  ['a star', '*'],
  ['a colon', ':id'],
  ['dots that a client left in', '....'],
]

describe('An address that is none', () => {
  const server = useServer()

  it.each(IDS)('is 404 on every method: %s', async (_, id) => {
    const path = `/files/${id}`
    const answers = {
      HEAD: await server.client.head(path),
      PATCH: await server.client.patch(path, 0, Buffer.from('hello')),
      DELETE: await server.client.request('DELETE', path),
      GET: await server.client.request('GET', path),
    }
    for (const [method, answer] of Object.entries(answers)) expect(answer.status, method).toBe(404)
    expect(answers.HEAD.headers['tus-resumable']).toBe('1.0.0')
  })

  it('is 404 with more than an id below the endpoint', async () => {
    const path = await server.client.create(5)
    for (const below of ['/more', '/more/still', '//']) {
      expect((await server.client.head(`${path}${below}`)).status, below).toBe(404)
    }
  })

  it('is 404 with an upload’s id in upper case, which is not its id', async () => {
    const path = await server.client.create(5)
    expect((await server.client.head(path.toUpperCase().replace('FILES', 'files'))).status).toBe(404)
  })

  it('is not known by an upload’s own folder on the disk', async () => {
    for (const path of ['/files/%2e%2e/owner.json', '/files/..%2fuploads', '/filesystem', '/files%2f']) {
      const answer = await server.client.request('GET', path)
      expect([400, 404], path).toContain(answer.status)
      expect(answer.body.toString()).not.toContain('bootId')
    }
  })
})

describe('A method that is not served', () => {
  const server = useServer()

  it('is 405 with Allow', async () => {
    const method = 'PUT'
    const path = await server.client.create(5)
    const upload = await server.client.request(method, path)
    expect(upload.status).toBe(405)
    const allowed = String(upload.headers.allow).split(', ')
    for (const served of ['HEAD', 'PATCH', 'DELETE', 'GET', 'OPTIONS']) expect(allowed).toContain(served)
    const collection = await server.client.request(method, '/files')
    expect(collection.status).toBe(405)
    expect(String(collection.headers.allow).split(', ')).toEqual(expect.arrayContaining(['POST', 'OPTIONS']))
  })

  it('is 405 with Allow on the address for creation: GET, HEAD, PATCH', async () => {
    for (const method of ['GET', 'HEAD', 'PATCH']) {
      const answer = await server.client.request(method, '/files', { headers: { 'Content-Type': OFFSET_OCTET_STREAM } })
      expect(answer.status, method).toBe(405)
      expect(answer.headers.allow, method).toContain('POST')
    }
  })
})

describe('Headers that upstream would stumble over', () => {
  const server = useServer()

  it.each([
    ['X-Forwarded-Proto', 'https,http'],
    ['X-Forwarded-Host', 'evil.example'],
    ['Forwarded', 'host="evil.example";proto=gopher'],
  ])('do no harm: %s', async (name, value) => {
    const answer = await server.client.request('POST', '/files', { headers: { 'Upload-Length': 5, [name]: value } })
    expect(answer.status).toBe(201)
    expect(answer.headers.location).not.toContain('evil')
  })

  it('leave the server on its feet', async () => {
    await expect(server.client.create(5)).resolves.toMatch(/^\/files\//)
    expect(server.output()).not.toMatch(/unhandled|uncaught/i)
  })
})
