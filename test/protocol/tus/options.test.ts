import { describe, expect, it } from 'vitest'
import { useServer } from './running-server.ts'

describe('OPTIONS', () => {
  const server = useServer({ MAX_FILE_SIZE: '1048576' })

  it('tells version, extensions and the largest size, without Tus-Resumable being sent', async () => {
    const answer = await server.client.request('OPTIONS', '/files', { headers: { 'Tus-Resumable': undefined } })
    // "A successful response indicated by the 204 No Content or 200 OK status MUST contain the Tus-Version header. It MAY
    // include the Tus-Extension and Tus-Max-Size headers."
    expect(answer.status).toBe(204)
    expect(answer.body).toHaveLength(0)
    expect(answer.headers['tus-version']).toBe('1.0.0')
    // As the example of the specification has it, and other servers do.
    expect(answer.headers['tus-resumable']).toBe('1.0.0')
    // "[Tus-Extension] MUST be a comma-separated list of the extensions supported by the Server."
    const extensions = String(answer.headers['tus-extension']).split(',')
    for (const extension of [
      'creation',
      'creation-with-upload',
      'creation-defer-length',
      'expiration',
      'termination',
      'concatenation',
    ]) {
      expect(extensions).toContain(extension)
    }
    // "The Server SHOULD set this header if there is a known hard limit."
    expect(answer.headers['tus-max-size']).toBe('1048576')
  })

  it('ignores the version the client names', async () => {
    const answer = await server.client.request('OPTIONS', '/files', { headers: { 'Tus-Resumable': '0.2.2' } })
    // "The Client SHOULD NOT include the Tus-Resumable header in the request and the Server MUST ignore the header."
    expect(answer.status).toBe(204)
    expect(answer.headers['tus-version']).toBe('1.0.0')
  })

  it('answers on the address of an upload as well', async () => {
    const path = await server.client.create(1)
    const answer = await server.client.request('OPTIONS', path, { headers: { 'Tus-Resumable': undefined } })
    expect(answer.status).toBe(204)
    expect(answer.headers['tus-version']).toBe('1.0.0')
  })
})

describe('OPTIONS of a server without a largest size', () => {
  const server = useServer()

  it('names none', async () => {
    const answer = await server.client.request('OPTIONS', '/files')
    expect(answer.status).toBe(204)
    expect(answer.headers).not.toHaveProperty('tus-max-size')
  })
})
