import { Readable } from 'node:stream'
import { expect, it, onTestFinished, vi } from 'vitest'
import { type Caller, createUploads, MemoryState } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'
import { FaultyFiles, type Operation } from '../../support/faulty-files.ts'
import { tempDir } from '../../support/temp-dir.ts'

const NOBODY: Caller = { principal: null }
const BYTES = Buffer.alloc(50 * 1024, 7)
const INPUT = { fileName: 'a.bin', fileSize: BYTES.length }
const body = () => Readable.from([BYTES])

// Each call but a close is a journey to another thread and back, and costs more there and here than what is done on it.
const CREATION = 'mkdir open open writev close'
const BYTES_AND_LINE = 'open writev writev close'
const COMPLETION = 'writev rename open writev close writev close'

/** What the sweep does that runs beside it when a directory is opened. */
function isLookingAround({ name, path }: Operation): boolean {
  return name === 'readdir' || (name === 'stat' && /[/\\]uploads[/\\][^/\\]+(?:[/\\]manifest\.json)?$/.test(path))
}

async function setUp() {
  const files = new FaultyFiles()
  const storage = new FileStorage({ directory: await tempDir(), layer: files, fsync: 'off' })
  const uploads = createUploads({ storage, state: new MemoryState() })
  await uploads.open()
  // However slow this machine is, no journal is closed because nobody has written it for a moment.
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(async () => {
    vi.useRealTimers()
    await uploads.close()
  })
  const callsOf = async (work: () => Promise<unknown>) => {
    const before = files.operations.length
    await work()
    const calls = files.operations.slice(before).filter((call) => !isLookingAround(call))
    return calls.map(({ name }) => name).join(' ')
  }
  return { uploads, callsOf }
}

it('a file that comes by one append is made by these calls on files', async () => {
  const { uploads, callsOf } = await setUp()
  const calls = await callsOf(async () => {
    const { manifest } = await uploads.create(INPUT, NOBODY)
    await uploads.append(manifest.id, { offset: 0, contentLength: BYTES.length, body: body() }, NOBODY)
  })
  expect(calls).toBe(`${CREATION} ${BYTES_AND_LINE} ${COMPLETION}`)
})

it('a file that comes by one chunk is made by the same, and its record is not read back to be told', async () => {
  const { uploads, callsOf } = await setUp()
  const calls = await callsOf(async () => {
    const { manifest } = await uploads.create(INPUT, NOBODY)
    await uploads.putChunk(manifest.id, { number: 0, contentLength: BYTES.length, body: body() }, NOBODY)
    const { file } = await uploads.complete(manifest.id, {}, NOBODY)
    expect(file.checksum).toMatch(/^[0-9a-f]{64}$/)
  })
  expect(calls).toBe(`${CREATION} ${BYTES_AND_LINE} ${COMPLETION}`)
})
