import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { holdfast } from '../../../adapters/node/index.ts'
import { createUploads, type Uploads } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { tusJsUpload } from '../../e2e/tus-js.ts'
import { FaultLayer, type LayerCall } from '../../support/fault-layer.ts'
import { listen } from '../../support/listen.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { OFFSET_OCTET_STREAM, TusClient } from '../../support/tus-client.ts'
import { idOf } from './running-server.ts'

const CALLER = { principal: null } as const
/** A body of several chunks, the last of them short. */
const BYTES = Buffer.concat([Buffer.alloc(100, 1), Buffer.alloc(100, 2), Buffer.alloc(50, 3)])

const isSync = ({ name, path }: LayerCall): boolean => name === 'datasync' && path.endsWith('/data')

/** Files whose bytes are moved to their final place only when a test says so. */
class SlowAssembly extends FaultLayer {
  proceed: () => void = () => {}
  readonly #mayProceed = new Promise<void>((resolve) => (this.proceed = resolve))

  override async rename(from: string, to: string): Promise<void> {
    if (from.endsWith('/data')) await this.#mayProceed
    await super.rename(from, to)
  }
}

/** A server in this process. */
interface Served {
  readonly uploads: Uploads
  readonly client: TusClient
  readonly url: string
}

/** Serves uploads over such files until the test has finished. */
async function serve(layer: FaultLayer, lockWaitMs = 10_000): Promise<Served> {
  const uploads = createUploads({
    storage: new FileStorage({ directory: await tempDir(), layer }),
    chunkSize: 100,
    lockWaitMs,
  })
  await uploads.open()
  onTestFinished(() => uploads.close())
  const url = await listen(holdfast({ uploads, onError: () => {} }))
  return { uploads, client: new TusClient(url), url }
}

/** Sends a creation with the whole file in it. */
function createWhole(client: TusClient) {
  const headers = { 'Upload-Length': BYTES.length, 'Content-Type': OFFSET_OCTET_STREAM }
  return client.request('POST', '/files', { body: BYTES, headers })
}

async function expectFile(client: TusClient, path: string): Promise<void> {
  const file = await client.request('GET', path)
  expect(file.status).toBe(200)
  expect(file.body).toEqual(BYTES)
}

describe('a creation with the whole file, whose completion does not come about', () => {
  it('answers 201 without an offset where storage fails, and a HEAD completes it', async () => {
    const layer = new FaultLayer()
    const { uploads, client } = await serve(layer)
    layer.plan = (call) => (isSync(call) ? { when: 'before', code: 'EIO' } : null)

    const created = await createWhole(client)
    expect(created.status).toBe(201)
    const path = client.locationOf(created)
    expect(created.headers).not.toHaveProperty('upload-offset')
    expect((await uploads.find(idOf(path), CALLER)).status).not.toBe('uploaded')
    // As long as it fails nobody is told that all is there.
    const asked = await client.head(path)
    expect(asked.status).toBe(423)
    expect(asked.headers).not.toHaveProperty('upload-offset')

    layer.plan = () => null
    const head = await client.head(path)
    expect(head.status).toBe(200)
    expect(head.headers['upload-offset']).toBe(String(BYTES.length))
    expect((await uploads.find(idOf(path), CALLER)).status).toBe('uploaded')
    await expectFile(client, path)
  })

  it('answers 201 without an offset where it takes long, and a HEAD says one when the file stands', async () => {
    const layer = new SlowAssembly()
    onTestFinished(() => layer.proceed())
    const { uploads, client } = await serve(layer, 200)

    const created = await createWhole(client)
    expect(created.status).toBe(201)
    const path = client.locationOf(created)
    expect(created.headers).not.toHaveProperty('upload-offset')
    await vi.waitUntil(async () => (await uploads.find(idOf(path), CALLER)).status === 'completing', {
      timeout: 10_000,
    })
    const asked = await client.head(path)
    expect(asked.status).toBe(423)
    expect(asked.headers).not.toHaveProperty('upload-offset')

    layer.proceed()
    await vi.waitUntil(async () => (await client.head(path)).status === 200, { timeout: 10_000 })
    expect(await client.offset(path)).toBe(BYTES.length)
    await expectFile(client, path)
  })

  it('answers 201 with the offset of what was kept where storage fails in the middle of the body', async () => {
    const layer = new FaultLayer()
    const { client } = await serve(layer)
    layer.plan = ({ path, write }) =>
      path.endsWith('/data') && write !== undefined && write.position >= 100 ? { when: 'before', code: 'EIO' } : null
    const created = await createWhole(client)
    expect(created.status).toBe(201)
    expect(created.headers['upload-offset']).toBe('100')

    layer.plan = () => null
    const path = client.locationOf(created)
    expect((await client.patch(path, 100, BYTES.subarray(100))).status).toBe(204)
    await expectFile(client, path)
  })
})

describe('tus-js-client with uploadDataDuringCreation', () => {
  it('ends well only when the file stands', async () => {
    const layer = new FaultLayer()
    const { uploads, client, url } = await serve(layer)
    let failures = 0
    layer.plan = (call) => {
      if (!isSync(call) || failures >= 2) return null
      failures += 1
      return { when: 'before', code: 'EIO' }
    }
    let succeeded = false
    const { run, requests } = tusJsUpload(BYTES, {
      endpoint: `${url}/files`,
      uploadDataDuringCreation: true,
      retryDelays: [0, 0, 0, 0],
      onSuccess: () => {
        succeeded = true
      },
    })
    const address = await run()
    expect(failures).toBe(2)
    expect(succeeded).toBe(true)
    expect((await uploads.find(idOf(address), CALLER)).status).toBe('uploaded')
    expect(requests[0]).toMatchObject({ method: 'POST', status: 201, answered: null })
    expect(requests.at(-1)).toMatchObject({ method: 'HEAD', status: 200, answered: BYTES.length })
    await expectFile(client, new URL(address).pathname)
  })

  it('ends in an error where it does not come to stand', async () => {
    const layer = new FaultLayer()
    const { url } = await serve(layer)
    layer.plan = (call) => (isSync(call) ? { when: 'before', code: 'EIO' } : null)
    let succeeded = false
    const { run } = tusJsUpload(BYTES, {
      endpoint: `${url}/files`,
      uploadDataDuringCreation: true,
      retryDelays: [0, 0],
      onSuccess: () => {
        succeeded = true
      },
    })
    await expect(run()).rejects.toThrow()
    expect(succeeded).toBe(false)
    layer.plan = () => null
  })
})
