import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { DetailedError } from 'tus-js-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type CuttingProxy, offsetLetThrough, startCuttingProxy } from '../support/cutting-proxy.ts'
import { sha256 } from '../support/tus-client.ts'
import { useServer } from '../protocol/tus/running-server.ts'
import { type TusJsSource, tusJsUpload } from './tus-js.ts'

const MIB = 1024 * 1024

describe('tus-js-client', () => {
  const server = useServer({ CHUNK_SIZE: '1MiB' })
  const data = randomBytes(12 * MIB + 77)
  const endpoint = (base = server.url): string => `${base}/files`

  async function expectFile(address: string, bytes: Buffer): Promise<void> {
    const { pathname } = new URL(address)
    expect(sha256((await server.fileOf(pathname)) ?? Buffer.from('none'))).toBe(sha256(bytes))
    const answer = await fetch(`${server.url}${pathname}`)
    expect(answer.status).toBe(200)
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes))
  }

  async function proxy(): Promise<CuttingProxy> {
    const started = await startCuttingProxy(server.url)
    onTestFinished(() => started.close())
    return started
  }

  it('uploads a file in one PATCH', async () => {
    const { run, requests } = tusJsUpload(data, { endpoint: endpoint() })
    await expectFile(await run(), data)
    expect(requests.map(({ method, status }) => [method, status])).toEqual([
      ['POST', 201],
      ['PATCH', 204],
    ])
  })

  it.each([
    ['smaller than the server’s', 300_007],
    ['as large as the server’s', MIB],
    ['larger than the server’s', 3 * MIB + 5],
  ])('uploads a file in chunks %s', async (_, chunkSize) => {
    const accepted: number[] = []
    const { run, requests } = tusJsUpload(data, {
      endpoint: endpoint(),
      chunkSize,
      onChunkComplete: (_size, bytesAccepted) => accepted.push(bytesAccepted),
    })
    await expectFile(await run(), data)
    expect(requests.filter(({ method }) => method === 'PATCH')).toHaveLength(Math.ceil(data.length / chunkSize))
    expect(accepted.at(-1)).toBe(data.length)
  })

  /** Waits until all that was let through has come out of the system's buffers at the server. */
  async function arrived(address: string | null, passed: Promise<Buffer>): Promise<number> {
    const had = offsetLetThrough(await passed)
    await expect.poll(() => server.received(new URL(address ?? '').pathname), { interval: 10 }).toBe(had)
    return had
  }

  it.each([
    ['in one PATCH', undefined],
    ['in chunks smaller than the server’s', 700_001],
    ['in chunks larger than the server’s', 5 * MIB],
  ])('resumes by itself after a cut in mid-PATCH without sending a byte again, %s', async (_, chunkSize) => {
    const through = await proxy()
    const cut = through.cutAfter(5 * MIB + 4321)
    const retried: (number | null)[] = []
    const { upload, run, requests } = tusJsUpload(data, {
      endpoint: endpoint(through.url),
      ...(chunkSize === undefined ? {} : { chunkSize }),
      retryDelays: [0, 100, 100],
      onShouldRetry: (error) => retried.push(error.originalResponse?.getStatus() ?? null) > 0,
      onBeforeRequest: async (request) => {
        if (request.getMethod() === 'HEAD') await arrived(upload.url, cut)
      },
    })
    await expectFile(await run(), data)
    const had = offsetLetThrough(await cut)
    expect(retried).toEqual([null])
    const broken = requests.findIndex(({ status }) => status === null)
    expect(requests[broken]).toMatchObject({ method: 'PATCH' })
    // All that had reached the server is there, and the next PATCH begins behind it.
    expect(requests[broken + 1]).toMatchObject({ method: 'HEAD', status: 200, answered: had })
    expect(requests[broken + 2]).toMatchObject({ method: 'PATCH', offset: had, status: 204 })
    expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })

  it('resumes at once after several cuts, each time where the server says it is', async () => {
    const through = await proxy()
    const reached: Promise<number>[] = []
    const cutAgain = (): number => reached.push(through.cutAfter(2 * MIB).then(offsetLetThrough))
    const { run, requests } = tusJsUpload(data, {
      endpoint: endpoint(through.url),
      retryDelays: [0, 0, 0],
      onShouldRetry: () => reached.length >= 5 || cutAgain() > 0,
    })
    cutAgain()
    await expectFile(await run(), data)
    const offsets = requests.filter(({ method }) => method === 'PATCH').map(({ offset }) => offset ?? 0)
    const told = requests.filter(({ method }) => method === 'HEAD').map(({ answered }) => answered)
    expect(offsets).toEqual([0, ...told])
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
    // The server knows of nothing that has not reached it; what it had not read yet may be sent again.
    for (const [n, most] of (await Promise.all(reached)).entries()) expect(told[n]).toBeLessThanOrEqual(most)
  })

  it('resumes in a new Upload, as after a restart of the browser', async () => {
    const through = await proxy()
    const first = tusJsUpload(data, { endpoint: endpoint(through.url) })
    const cut = through.cutAfter(7 * MIB)
    await expect(first.run()).rejects.toBeInstanceOf(DetailedError)
    const uploadUrl = first.upload.url
    const had = await arrived(uploadUrl, cut)
    expect(uploadUrl).not.toBeNull()
    const second = tusJsUpload(data, { endpoint: endpoint(through.url), uploadUrl })
    await expectFile(await second.run(), data)
    expect(second.requests).toMatchObject([
      { method: 'HEAD', status: 200, answered: had },
      { method: 'PATCH', offset: had, status: 204, answered: data.length },
    ])
  })

  it('finds a finished upload finished when it resumes it', async () => {
    const uploadUrl = await tusJsUpload(data, { endpoint: endpoint() }).run()
    const again = tusJsUpload(data, { endpoint: endpoint(), uploadUrl })
    await expectFile(await again.run(), data)
    expect(again.requests).toMatchObject([{ method: 'HEAD', status: 200, answered: data.length }])
  })

  it.each([
    ['that ends in mid-chunk', 4 * MIB + 99, 1_500_000],
    ['that ends with a chunk of the server’s', 4 * MIB, 1_500_000],
    ['smaller than one chunk', 1000, MIB],
  ])('uploads a stream of unknown length %s', async (_, size, chunkSize) => {
    const bytes = data.subarray(0, size)
    const { run, requests } = tusJsUpload(streamOf(bytes), {
      endpoint: endpoint(),
      uploadLengthDeferred: true,
      chunkSize,
    })
    await expectFile(await run(), bytes)
    expect(requests[0]).toMatchObject({ method: 'POST', status: 201 })
    expect(requests.at(-1)).toMatchObject({ method: 'PATCH', status: 204, answered: size })
  })

  it('resumes a stream of unknown length after a cut', async () => {
    const through = await proxy()
    const cut = through.cutAfter(6 * MIB)
    const { upload, run, requests } = tusJsUpload(streamOf(data), {
      endpoint: endpoint(through.url),
      uploadLengthDeferred: true,
      chunkSize: 4 * MIB,
      retryDelays: [0, 100],
      onBeforeRequest: async (request) => {
        if (request.getMethod() === 'HEAD') await arrived(upload.url, cut)
      },
    })
    await expectFile(await run(), data)
    const had = offsetLetThrough(await cut)
    expect(requests.filter(({ method }) => method === 'PATCH').map(({ offset }) => offset)).toContain(had)
  })

  it('sends data with the creation', async () => {
    const whole = tusJsUpload(data, { endpoint: endpoint(), uploadDataDuringCreation: true })
    await expectFile(await whole.run(), data)
    expect(whole.requests).toMatchObject([{ method: 'POST', status: 201, answered: data.length }])
    const part = tusJsUpload(data, { endpoint: endpoint(), uploadDataDuringCreation: true, chunkSize: 5_000_000 })
    await expectFile(await part.run(), data)
    expect(part.requests.map(({ method, answered }) => [method, answered])).toEqual([
      ['POST', 5_000_000],
      ['PATCH', 10_000_000],
      ['PATCH', data.length],
    ])
  })

  it.each([
    ['between two PATCHes', 2 * MIB],
    ['while a PATCH is under way', undefined],
  ])('terminates an upload %s', async (_, chunkSize) => {
    let begin: (terminated: Promise<void>) => void
    const terminated = new Promise<void>((resolve) => (begin = resolve))
    let aborted = false
    const abort = (bytes: number): void => {
      if (aborted || bytes < 2 * MIB) return
      aborted = true
      begin(upload.abort(true))
    }
    const { upload, run, requests } = tusJsUpload(data, {
      endpoint: endpoint(),
      retryDelays: [0, 100, 100],
      ...(chunkSize === undefined
        ? { onProgress: abort }
        : { chunkSize, onChunkComplete: (_size: number, accepted: number) => abort(accepted) }),
    })
    // Nothing is told to a client that has aborted: this never settles.
    void run()
    await terminated
    expect(requests.at(-1)).toMatchObject({ method: 'DELETE', status: 204 })
    const { pathname } = new URL(upload.url ?? '')
    expect((await server.client.head(pathname)).status).toBe(410)
    await expect(server.received(pathname)).resolves.toBe(0)
  })

  it('uploads a file of no bytes', async () => {
    for (const uploadDataDuringCreation of [false, true]) {
      const { run, requests } = tusJsUpload(Buffer.alloc(0), { endpoint: endpoint(), uploadDataDuringCreation })
      await expectFile(await run(), Buffer.alloc(0))
      expect(requests).toMatchObject([{ method: 'POST', status: 201 }])
    }
  })

  it('uploads with POST in place of PATCH', async () => {
    const { run, requests } = tusJsUpload(data, { endpoint: endpoint(), overridePatchMethod: true, chunkSize: 5 * MIB })
    await expectFile(await run(), data)
    expect(requests.map(({ method, status }) => [method, status])).toEqual([
      ['POST', 201],
      ['PATCH', 204],
      ['PATCH', 204],
      ['PATCH', 204],
    ])
  })

  it('names the file in any language', async () => {
    const metadata = { filename: 'Größe – 日本語 📦.txt', filetype: 'text/plain', note: 'ü' }
    const { run } = tusJsUpload(data.subarray(0, 100), { endpoint: endpoint(), metadata })
    const address = await run()
    await expectFile(address, data.subarray(0, 100))
    const head = await server.client.head(new URL(address).pathname)
    const pairs = String(head.headers['upload-metadata']).split(',')
    const read = pairs.map((pair) => [pair.split(' ')[0], Buffer.from(pair.split(' ')[1] ?? '', 'base64').toString()])
    expect(Object.fromEntries(read)).toEqual(metadata)
    const got = await fetch(address)
    expect(got.headers.get('content-type')).toBe('text/plain')
    expect(got.headers.get('content-disposition')).toContain(
      `filename*=UTF-8''${encodeURIComponent(metadata.filename)}`,
    )
  })

  it('starts anew where the upload it resumes is gone', async () => {
    const gone = await server.client.create(data.length)
    await server.client.request('DELETE', gone)
    const { run, requests } = tusJsUpload(data, { endpoint: endpoint(), uploadUrl: `${server.url}${gone}` })
    await expectFile(await run(), data)
    expect(requests.map(({ method, status }) => [method, status])).toEqual([
      ['HEAD', 410],
      ['POST', 201],
      ['PATCH', 204],
    ])
  })
})

/** A stream as tus-js-client wants it in Node; its types know only those of browsers. */
function streamOf(bytes: Buffer): TusJsSource {
  return Readable.from(pieces(bytes), { objectMode: false })
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += 100_000) yield bytes.subarray(start, start + 100_000)
}
