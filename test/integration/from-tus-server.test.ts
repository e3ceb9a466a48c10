import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tusJsUpload } from '../e2e/tus-js.ts'
import { bytesOf } from '../support/byte-source.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { describeWithNginx, startNginx } from '../support/services/nginx.ts'
import { readProjectFile, readSnippets } from '../support/snippets.ts'
import { startStockTus } from '../support/stock-tus.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TusClient } from '../support/tus-client.ts'

const BYTES = bytesOf(17, 1_000_000)
const HALF = BYTES.length / 2

/** A stock server with a finished upload and one that is half there. */
async function stock(directory: string) {
  const server = await startStockTus(directory)
  onTestFinished(() => server.stop())
  const tus = new TusClient(server.endpoint.origin)
  const finished = await tus.create(BYTES.length)
  const unfinished = await tus.create(BYTES.length)
  expect((await tus.patch(finished, 0, BYTES)).status).toBe(204)
  expect((await tus.patch(unfinished, 0, BYTES.subarray(0, HALF))).status).toBe(204)
  return { server, finished, unfinished }
}

async function serve(directory: string): Promise<ServerProcess> {
  const server = await startServerProcess(directory)
  onTestFinished(async () => void (await server.kill()))
  return server
}

/** The contents of the files of a folder, by their names. */
async function filesIn(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isFile())
  return new Map(
    await Promise.all(files.map(async ({ name }) => [name, await readFile(join(directory, name))] as const)),
  )
}

describe('the directory of a stock @tus/server', () => {
  it('is left as it is: clients of its unfinished uploads begin anew, and its finished files stay', async () => {
    const directory = await tempDir()
    const { server, finished, unfinished } = await stock(directory)
    await server.stop()
    const before = await filesIn(directory)
    expect(before.size).toBe(4)

    const { url } = await serve(directory)
    const tus = new TusClient(url)
    for (const path of [finished, unfinished]) expect((await tus.head(path)).status).toBe(404)
    const { run, requests } = tusJsUpload(BYTES, { endpoint: `${url}/files`, uploadUrl: url + unfinished })
    const begunAnew = await run()
    expect(requests.map(({ method, status }) => `${method} ${status}`)).toEqual(['HEAD 404', 'POST 201', 'PATCH 204'])
    expect((await tus.request('GET', new URL(begunAnew).pathname)).body.equals(BYTES)).toBe(true)
    const after = await filesIn(directory)
    for (const [name, bytes] of before) expect(after.get(name)?.equals(bytes), name).toBe(true)
  })
})

describeWithNginx('a stock @tus/server behind the same nginx', () => {
  it('goes on with what it has begun, and Holdfast has all that is new', async () => {
    const { server, unfinished } = await stock(await tempDir())
    const holdfast = await serve(await tempDir())
    const [block] = readSnippets('', await readProjectFile('docs/from-tus-server.md'), ['nginx'])
    const locations = block?.code.replaceAll(':1090', `:${server.endpoint.port}`) ?? ''
    const nginx = await startNginx(Number(new URL(holdfast.url).port), { locations })
    onTestFinished(() => nginx.stop())
    const endpoint = `${nginx.url}/files`
    const old = tusJsUpload(BYTES, { endpoint, uploadUrl: nginx.url + unfinished })
    expect(new URL(await old.run()).pathname).toBe(unfinished)
    expect(old.requests.map(({ method, offset }) => [method, offset])).toEqual([
      ['HEAD', null],
      ['PATCH', HALF],
    ])
    const fresh = await tusJsUpload(BYTES, { endpoint }).run()
    const { pathname } = new URL(fresh)
    expect((await new TusClient(holdfast.url).request('GET', pathname)).body.equals(BYTES)).toBe(true)
  })
})
