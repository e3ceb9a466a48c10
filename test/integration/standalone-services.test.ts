import { expect, it, onTestFinished } from 'vitest'
import { sharedVariables } from '../support/cluster.ts'
import { Wire } from '../support/http-wire.ts'
import { runServerProcess, type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { describeWithOwnRedis, startRedis } from '../support/services/own-redis.ts'
import { describeWithS3, newBucket } from '../support/services/s3.ts'
import { SmallJsonUpload, SmallTusUpload } from '../support/small-uploads.ts'
import { tempDir } from '../support/temp-dir.ts'

const TIMEOUT = { timeout: 60_000 }

async function begin(variables: Readonly<Record<string, string>>): Promise<{ server: ServerProcess; wire: Wire }> {
  const server = await startServerProcess(await tempDir(), variables)
  const wire = new Wire(server.url)
  onTestFinished(async () => {
    wire.close()
    await server.kill()
  })
  return { server, wire }
}

describeWithS3('a server with STORAGE=s3 and state in memory', () => {
  it('takes a file over each face, and stops cleanly', TIMEOUT, async () => {
    const { REDIS_URL: _, ...variables } = sharedVariables('', await newBucket())
    const { server, wire } = await begin(variables)
    const file = { seed: 3, size: 7_000_000, chunkSize: 5 * 1024 * 1024 }
    for (const Upload of [SmallTusUpload, SmallJsonUpload]) {
      const upload = new Upload(file)
      await upload.begin(wire)
      while (!upload.isSent) await upload.step(wire)
      const fileId = await upload.complete(wire)
      const { body } = await wire.send('GET', `/api/v1/files/${fileId}/content`)
      expect(body.equals(upload.bytes)).toBe(true)
    }
    expect((await wire.send('GET', '/readyz')).status).toBe(200)
    expect(await server.kill('SIGTERM')).toBe(0)
    expect(server.output()).not.toMatch(/"level":(40|50|60)|Warning/)
  })

  it('does not start without its bucket, and says which in one line', TIMEOUT, async () => {
    const { REDIS_URL: _, ...variables } = sharedVariables('', 'holdfast-no-such-bucket')
    const { code, stdout, stderr } = await runServerProcess({ PORT: '0', DATA_DIR: await tempDir(), ...variables })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^holdfast: [^\n]*"holdfast-no-such-bucket"[^\n]*\n$/)
  })

  it('does not start without a region, and says how to set one', TIMEOUT, async () => {
    const { REDIS_URL: _, AWS_REGION: __, ...variables } = sharedVariables('', 'acme')
    const { code, stderr } = await runServerProcess({ PORT: '0', DATA_DIR: await tempDir(), ...variables })
    expect(code).toBe(1)
    expect(stderr).toBe('holdfast: S3 has no region: set AWS_REGION, or the region of your AWS profile.\n')
  })
})

describeWithOwnRedis('a server whose Redis is away', () => {
  it('starts, says so, tells clients to try again, and goes on when Redis comes', TIMEOUT, async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    await redis.kill()
    const { server, wire } = await begin({ REDIS_URL: redis.url })
    expect((await wire.send('GET', '/healthz')).status).toBe(200)
    const ready = await wire.send('GET', '/readyz')
    expect([ready.status, ready.body.toString()]).toEqual([503, '{"status":"state unavailable"}'])
    const refused = await new Wire(server.url).send('GET', '/api/v1/uploads/00000000-0000-4000-8000-000000000000')
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
    const head = await wire.send('HEAD', '/files/00000000-0000-4000-8000-000000000000', {
      headers: { 'Tus-Resumable': '1.0.0' },
    })
    expect([head.status, head.headers['retry-after']]).toEqual([423, '1'])

    await redis.restart()
    await expect.poll(async () => (await wire.send('GET', '/readyz')).status, { timeout: 20_000 }).toBe(200)
    const upload = new SmallTusUpload({ seed: 5, size: 300_000, chunkSize: 5 * 1024 * 1024 })
    await upload.begin(wire)
    while (!upload.isSent) await upload.step(wire)
    await upload.complete(wire)
    expect(await server.kill('SIGTERM')).toBe(0)
    expect(server.output()).toContain('Redis does not answer')
    expect(server.output()).toContain('Redis answers again')
  })
})
