import { describe, expect, it } from 'vitest'
import { OFFSET_OCTET_STREAM } from '../../support/tus-client.ts'
import { useServer } from './running-server.ts'

describe('Tus-Resumable', () => {
  const server = useServer()

  // "If the version specified by the Client is not supported by the Server, it MUST respond with the 412 Precondition Failed
  // status and MUST include the Tus-Version header into the response. In addition, the Server MUST NOT process the request."
  describe.each([[undefined], ['0.2.2'], ['1.0'], ['2.0.0'], ['']])('of %j', (version) => {
    it('makes a POST create nothing', async () => {
      const before = await server.uploadIds()
      const answer = await server.client.request('POST', '/files', {
        headers: { 'Tus-Resumable': version, 'Upload-Length': 10 },
      })
      expect(answer.status).toBe(412)
      expect(answer.headers).toMatchObject({ 'tus-version': '1.0.0', 'tus-resumable': '1.0.0' })
      expect(answer.headers).not.toHaveProperty('location')
      await expect(server.uploadIds()).resolves.toEqual(before)
    })

    it('makes a PATCH append nothing', async () => {
      const path = await server.client.create(10)
      const answer = await server.client.patch(path, 0, Buffer.from('hello'), { headers: { 'Tus-Resumable': version } })
      expect(answer.status).toBe(412)
      expect(answer.headers['tus-version']).toBe('1.0.0')
      await expect(server.client.offset(path)).resolves.toBe(0)
    })

    it('makes a HEAD tell nothing', async () => {
      const path = await server.client.create(10)
      const answer = await server.client.head(path, { 'Tus-Resumable': version })
      expect(answer.status).toBe(412)
      expect(answer.headers['tus-version']).toBe('1.0.0')
      expect(answer.headers).not.toHaveProperty('upload-offset')
    })

    it('makes a DELETE delete nothing', async () => {
      const path = await server.client.create(10)
      const answer = await server.client.request('DELETE', path, { headers: { 'Tus-Resumable': version } })
      expect(answer.status).toBe(412)
      expect(answer.headers['tus-version']).toBe('1.0.0')
      expect((await server.client.head(path)).status).toBe(200)
    })

    it('is seen before anything else is found wrong', async () => {
      const answer = await server.client.request('POST', '/files', {
        headers: { 'Tus-Resumable': version, 'Content-Type': OFFSET_OCTET_STREAM, 'Upload-Length': -1 },
      })
      expect(answer.status).toBe(412)
    })
  })
})
