import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytesOf, sha256Of } from '../support/byte-source.ts'
import { Wire } from '../support/http-wire.ts'
import { runServerProcess, type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { completed, initiated, JsonDriver, storedChunk } from '../support/upload-drivers.ts'

const TIMEOUT = { timeout: 40_000 }
const CHUNK = 64 * 1024
const BYTES = bytesOf(71, 3 * CHUNK + 5)

interface Served {
  readonly directory: string
  readonly server: ServerProcess
  readonly json: JsonDriver
}

async function serve(): Promise<Served> {
  const directory = await tempDir()
  const server = await startServerProcess(directory)
  const wire = new Wire(server.url)
  onTestFinished(async () => {
    wire.close()
    await server.kill()
  })
  return { directory, server, json: new JsonDriver(wire) }
}

async function put(json: JsonDriver, id: string, number: number): Promise<void> {
  storedChunk(await json.putChunk(id, number, BYTES.subarray(number * CHUNK, (number + 1) * CHUNK)))
}

/** Every file, with its content and the time of its last change. */
async function snapshot(directory: string): Promise<readonly string[]> {
  const lines: string[] = []
  for (const name of (await readdir(directory, { recursive: true })).toSorted()) {
    // Which its owner touches every second.
    if (name === 'owner.json') continue
    const facts = await stat(join(directory, name), { bigint: true })
    const content = facts.isFile() ? sha256Of(await readFile(join(directory, name))) : ''
    lines.push(`${name} ${facts.ino} ${facts.mtimeNs} ${facts.ctimeNs} ${content}`)
  }
  return lines
}

describe('holdfast inspect', () => {
  it('tells of an upload beside the running server, and changes nothing', TIMEOUT, async () => {
    const { directory, server, json } = await serve()
    const { id, fileId } = initiated(await json.initiate(BYTES.length, 'a film.bin', CHUNK))
    await put(json, id, 2)
    const before = await snapshot(directory)

    const text = await runServerProcess({}, ['inspect', id, '--data-dir', directory])
    expect(text).toMatchObject({ code: 0, stderr: '' })
    expect(text.stdout).toContain(`Upload ${id}: uploading\n`)
    expect(text.stdout).toContain('"a film.bin"')
    expect(text.stdout).toMatch(/\n {2}missing +0-1, 3\n/)
    expect(text.stdout).toMatch(new RegExp(`\\n  server +process ${server.pid} is running\\n`))

    const machine = await runServerProcess({ DATA_DIR: directory }, ['inspect', '--json', id])
    expect(machine).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(machine.stdout)).toMatchObject({ id, status: 'uploading', durableBytes: CHUNK, ranges: [[2, 2]] })
    expect(await snapshot(directory)).toEqual(before)

    // The server has not noticed.
    for (const number of [0, 1, 3]) await put(json, id, number)
    expect(completed(await json.complete(id)).checksum).toBe(sha256Of(BYTES))
    const file = await runServerProcess({}, ['inspect', fileId, `--data-dir=${directory}`])
    expect(file.stdout).toContain(`Upload ${id}: uploaded\n`)
    expect(file.stdout).toContain(sha256Of(BYTES))
  })

  it('tells of an upload after a kill', TIMEOUT, async () => {
    const { directory, server, json } = await serve()
    const { id } = initiated(await json.initiate(BYTES.length, 'a.bin', CHUNK))
    await put(json, id, 0)
    await server.kill()
    const before = await snapshot(directory)
    const { code, stdout } = await runServerProcess({ DATA_DIR: directory }, ['inspect', id])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`\\n  server +process ${server.pid} is dead\\n`))
    expect(stdout).toMatch(/\n {2}missing +1-3\n/)
    expect(await snapshot(directory)).toEqual(before)
  })

  it.each(['00000000-0000-4000-8000-000000000000', '../../etc/passwd', 'x'])(
    'says in one line that there is no %s',
    TIMEOUT,
    async (id) => {
      const directory = await tempDir()
      const { code, stdout, stderr } = await runServerProcess({ DATA_DIR: directory }, ['inspect', id])
      const line = `holdfast: there is no upload or file ${JSON.stringify(id)} in ${directory}\n`
      expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: line })
      expect(await readdir(directory)).toEqual([])
    },
  )

  it('wants an id', TIMEOUT, async () => {
    const { code, stderr } = await runServerProcess({}, ['inspect'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^holdfast: inspect wants one id: [^\n]+\n$/)
  })
})
