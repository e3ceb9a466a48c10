import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, it } from 'vitest'
import { downloadReply } from '../../../src/downloads/download-reply.ts'
import type { FileRecord } from '../../../src/files.ts'
import type { FaceReply } from '../../../src/http.ts'
import { aFile } from '../../support/file-samples.ts'

const BYTES = '0123456789'

interface Asked {
  readonly reply: FaceReply
  /** How often the bytes were opened. */
  readonly opened: number
}

async function ask(headers: IncomingHttpHeaders, method: 'GET' | 'HEAD' = 'GET', facts?: Partial<FileRecord>) {
  const file = aFile(facts)
  let opened = 0
  const open = async (start = 0, end = file.size): Promise<Readable> => {
    opened += 1
    return Readable.from([BYTES.slice(start, end)])
  }
  const reply = await downloadReply({ file, open, url: async () => null }, { method, headers })
  return { reply, opened } satisfies Asked
}

const bodyOf = ({ body }: FaceReply): Promise<string> | null => (body instanceof Readable ? text(body) : null)

describe('a download', () => {
  it('is the whole file, as an attachment that nothing renders or runs', async () => {
    const { reply } = await ask({}, 'GET', { name: 'päge.html', contentType: 'text/html', checksum: '00'.repeat(32) })
    expect(reply.status).toBe(200)
    expect(await bodyOf(reply)).toBe(BYTES)
    expect(reply.headers).toEqual({
      'Accept-Ranges': 'bytes',
      'Cache-Control': 'private, no-cache, no-transform',
      'Content-Disposition': `attachment; filename="p_ge.html"; filename*=UTF-8''p%C3%A4ge.html`,
      'Content-Length': '10',
      'Content-Security-Policy': "default-src 'none'; sandbox",
      'Content-Type': 'text/html',
      ETag: expect.stringMatching(/^"\S+"$/),
      'Last-Modified': 'Thu, 01 Jan 2026 12:00:00 GMT',
      'Repr-Digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:`,
      'X-Content-Type-Options': 'nosniff',
    })
  })

  it('has no digest while the checksum is not known', async () => {
    expect((await ask({})).reply.headers).not.toHaveProperty('Repr-Digest')
  })

  it('is a part where one is asked for, with the headers of the whole but its length', async () => {
    const whole = (await ask({}, 'HEAD', { id: 'a' })).reply
    const { reply } = await ask({ range: 'bytes=2-4' }, 'GET', { id: 'a' })
    expect(reply.status).toBe(206)
    expect(await bodyOf(reply)).toBe('234')
    expect(reply.headers).toEqual({ ...whole.headers, 'Content-Length': '3', 'Content-Range': 'bytes 2-4/10' })
  })

  it('of a HEAD opens nothing, and knows no ranges', async () => {
    const { reply, opened } = await ask({ range: 'bytes=2-4' }, 'HEAD')
    expect(reply).toMatchObject({ status: 200, body: null, headers: { 'Content-Length': '10' } })
    expect(opened).toBe(0)
  })

  it('opens nothing for who has the file, and says no more than what keeps it fresh', async () => {
    const { reply, opened } = await ask({ 'if-none-match': '*', range: 'bytes=99-' })
    expect(reply.status).toBe(304)
    expect(Object.keys(reply.headers)).toEqual(['Cache-Control', 'ETag'])
    expect(opened).toBe(0)
  })

  it('refuses a range outside of the file, and a condition that is not so', async () => {
    await expect(ask({ range: 'bytes=10-' })).rejects.toMatchObject({
      code: 'RANGE_NOT_SATISFIABLE',
      details: { size: 10 },
    })
    await expect(ask({ 'if-match': '"b"', range: 'bytes=10-' })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
  })

  it('is the whole file where the range was meant for another one', async () => {
    expect((await ask({ range: 'bytes=10-', 'if-range': '"b"' })).reply.status).toBe(200)
  })
})
