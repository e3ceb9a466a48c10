import { describe, expect, it, onTestFinished } from 'vitest'
import { Cluster, facesOf } from '../../support/cluster.ts'
import { EventClient } from '../../support/event-source.ts'
import { JsonClient, someFile } from '../../support/json-client.ts'
import { startServerProcess } from '../../support/server-process.ts'
import { redisService, describeWithRedis } from '../../support/services/redis.ts'
import { describeWithS3 } from '../../support/services/s3.ts'
import { tempDir } from '../../support/temp-dir.ts'

const CDN_URL = 'https://cdn.example/media'
const TIMEOUT = { timeout: 60_000 }

/** What a file's addresses answer, redirects not followed. */
const content = (base: string, fileId: string, init: RequestInit = {}) =>
  fetch(`${base}/api/v1/files/${fileId}/content`, { redirect: 'manual', ...init })

describe('CDN_URL', () => {
  it('is where files are, and where downloads go, on disk', TIMEOUT, async () => {
    const server = await startServerProcess(await tempDir(), { CDN_URL: `${CDN_URL}/` })
    onTestFinished(() => void server.kill())
    const json = new JsonClient(server.url)
    onTestFinished(() => json.close())
    const file = someFile(1000)
    const { id, fileId } = await json.filled(file)
    const url = `${CDN_URL}/${fileId}`
    expect(await json.completed(id)).toMatchObject({ id: fileId, url })
    expect((await json.call('GET', `/api/v1/files/${fileId}`)).json).toMatchObject({ data: { url } })
    expect((await json.call('GET', `/api/v1/uploads/${id}/progress`)).json).not.toMatchObject({ data: { url } })
    const events = await EventClient.open(`${server.url}/api/v1/uploads/${id}/events`)
    expect((await events.until('completed')).data).toMatchObject({ url })

    const answer = await content(server.url, fileId, { headers: { Range: 'bytes=0-9' } })
    expect([answer.status, answer.headers.get('location'), answer.headers.get('cache-control')]).toEqual([
      302,
      url,
      'no-store',
    ])
    // What a HEAD wants to know is known here.
    const head = await content(server.url, fileId, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '1000'])
    // Of a file that is not there nothing is told.
    expect((await json.call('DELETE', `/api/v1/files/${fileId}`)).status).toBe(200)
    expect((await content(server.url, fileId)).status).toBe(404)
  })
})

describeWithRedis('S3', () => {
  describeWithS3('and downloads', () => {
    it('go to the key below CDN_URL', TIMEOUT, async () => {
      const cluster = await Cluster.start(1, redisService().url, { CDN_URL, REDIS_PREFIX: `cdn-${Date.now()}:` })
      onTestFinished(() => cluster.stop())
      const [face] = facesOf(cluster)
      if (face === undefined) throw new Error('There is no node.')
      const { id, fileId } = await face.json.filled(someFile(1000))
      expect(await face.json.completed(id)).toMatchObject({ url: `${CDN_URL}/holdfast/files/${fileId}/${id}` })
      face.json.close()
      const answer = await content(cluster.urls[0] ?? '', fileId)
      expect([answer.status, answer.headers.get('location')]).toEqual([
        302,
        `${CDN_URL}/holdfast/files/${fileId}/${id}`,
      ])
    })

    it('go to the bucket, signed, with S3_PRESIGNED_FOR', TIMEOUT, async () => {
      const variables = { S3_PRESIGNED_FOR: '5m', REDIS_PREFIX: `presigned-${Date.now()}:` }
      const cluster = await Cluster.start(1, redisService().url, variables)
      onTestFinished(() => cluster.stop())
      const [face] = facesOf(cluster)
      if (face === undefined) throw new Error('There is no node.')
      const file = someFile(6 * 1024 * 1024)
      const { id, fileId } = await face.json.filled(file, { fileName: 'päge.html' })
      expect(await face.json.completed(id)).not.toHaveProperty('url')
      const base = cluster.urls[0] ?? ''
      const answer = await content(base, fileId)
      const location = new URL(answer.headers.get('location') ?? '')
      expect([answer.status, location.searchParams.get('X-Amz-Expires')]).toEqual([302, '300'])

      const followed = await content(base, fileId, { redirect: 'follow', headers: { Range: 'bytes=10-19' } })
      expect(followed.status).toBe(206)
      expect(Buffer.from(await followed.arrayBuffer())).toEqual(file.subarray(10, 20))
      expect(followed.headers.get('content-disposition')).toContain('attachment')
      const head = await content(base, fileId, { method: 'HEAD' })
      expect([head.status, head.headers.get('content-length')]).toEqual([200, String(file.length)])
      expect((await face.json.call('DELETE', `/api/v1/files/${fileId}`)).status).toBe(200)
      expect((await content(base, fileId)).status).toBe(404)
      face.json.close()
    })
  })
})
