import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Disk, type Fsync } from '../../../../src/storage/file/disk.ts'
import { Journal } from '../../../../src/storage/file/journal.ts'
import { decodeJournal, encodeLines, type StoredChange } from '../../../../src/storage/file/journal-format.ts'
import { Layout } from '../../../../src/storage/file/layout.ts'
import { Random, runSeed } from '../../../support/byte-source.ts'
import { FaultLayer } from '../../../support/fault-layer.ts'
import { FaultyFiles, MemoryFiles, systemError } from '../../../support/faulty-files.ts'

const id = '00000000-0000-4000-8000-000000000000'
const path = `/data/uploads/${id}/journal`
const chunk = (number: number): StoredChange => ({ type: 'chunk', entry: { number, size: 5, sha256: 'ab', at: 1 } })

async function setUp(fsync: Fsync = 'complete') {
  const memory = new MemoryFiles()
  const files = new FaultyFiles(memory)
  const disk = new Disk(files, new Layout('/data'), fsync, 'boot-1')
  await memory.mkdir(disk.layout.upload(id), { recursive: true })
  await disk.write(path, encodeLines([{ v: 1, id, boot: 'boot-1' }]), true)
  const written = async () => decodeJournal(await memory.readFile(path))
  const readAnew = () => new Journal(disk, id).revise(async ({ changes }) => ({ result: changes }))
  return { memory, files, disk, journal: new Journal(disk, id), written, readAnew }
}

describe('appending', () => {
  it('writes the lines that wait by one write, in order', async () => {
    const { journal, files, written } = await setUp()
    const before = files.count('writev')
    await Promise.all([0, 1, 2, 3, 4].map((n) => journal.append(chunk(n), true)))
    expect((await written()).changes).toEqual([0, 1, 2, 3, 4].map(chunk))
    expect(files.count('writev') - before).toBeLessThanOrEqual(2)
    expect(files.count('datasync')).toBeLessThanOrEqual(2)
  })

  it('removes first what a kill has left of a replacement', async () => {
    const { journal, memory, disk } = await setUp()
    await disk.write(`${path}.new`, Buffer.from('half'), true)
    await journal.append(chunk(0), false)
    expect(await memory.readdir(disk.layout.upload(id))).toEqual(['journal'])
  })

  it('leaves nothing of a replacement that could not take its place', async () => {
    const { journal, files, memory, disk } = await setUp()
    files.fault = ({ name }) => (name === 'datasync' ? systemError('EIO') : undefined)
    await expect(journal.append(chunk(0), true)).rejects.toMatchObject({ code: 'EIO' })
    files.fault = ({ name }) => (name === 'rename' ? systemError('EIO') : undefined)
    await expect(journal.append(chunk(0), true)).rejects.toMatchObject({ code: 'EIO' })
    files.fault = () => undefined
    await new Journal(disk, id).append(chunk(0), true)
    expect(await memory.readdir(disk.layout.upload(id))).toEqual(['journal'])
  })

  it('writes on however little the system takes at a time', async () => {
    const { journal, files, written } = await setUp()
    files.fault = ({ name }) => (name === 'writev' ? 7 : undefined)
    await journal.append(chunk(0), false)
    await journal.append(chunk(1), false)
    expect((await written()).changes).toEqual([chunk(0), chunk(1)])
  })

  it('truncates a failed line away, and the next one stands', async () => {
    const { journal, files, memory, readAnew } = await setUp()
    await journal.append(chunk(0), false)
    let writes = 0
    files.fault = ({ name }) => {
      if (name !== 'writev') return undefined
      writes += 1
      return writes === 1 ? 9 : systemError('ENOSPC')
    }
    await expect(journal.append(chunk(1), false)).rejects.toMatchObject({ code: 'ENOSPC' })
    const { length } = await memory.readFile(path)
    expect(files.openHandles).toBe(0)
    files.fault = () => undefined
    await journal.append(chunk(2), false)
    expect((await memory.readFile(path)).length).toBeGreaterThan(length)
    expect(await readAnew()).toEqual([chunk(0), chunk(2)])
  })

  it('refuses lines until what a failed one left could be truncated', async () => {
    const { journal, files, readAnew } = await setUp()
    let wrote = false
    files.fault = ({ name }) => {
      if (name === 'truncate') return systemError('EIO')
      if (name !== 'writev') return undefined
      if (wrote) return systemError('ENOSPC')
      wrote = true
      return 9
    }
    await expect(journal.append(chunk(0), false)).rejects.toMatchObject({ code: 'ENOSPC' })
    files.fault = ({ name }) => (name === 'truncate' ? systemError('EIO') : undefined)
    await expect(journal.append(chunk(1), false)).rejects.toMatchObject({ code: 'EIO' })
    files.fault = () => undefined
    await journal.append(chunk(2), false)
    expect(await readAnew()).toEqual([chunk(2)])
  })

  it('does not show a line whose fsync failed, and writes the whole journal anew before the next', async () => {
    const { journal, files, memory, readAnew } = await setUp()
    await journal.append(chunk(0), false)
    files.fault = ({ name }) => (name === 'datasync' ? systemError('EIO') : undefined)
    await expect(journal.append({ type: 'completing' }, true)).rejects.toMatchObject({ code: 'EIO' })
    expect(await journal.revise(async ({ changes }) => ({ result: changes }))).toEqual([chunk(0)])
    files.fault = () => undefined
    await journal.append(chunk(1), true)
    expect(await readAnew()).toEqual([chunk(0), chunk(1)])
    expect(files.count('rename', 'journal.new')).toBe(1)
    const cut = new Disk(memory.powerCut(), new Layout('/data'), 'complete', 'boot-2')
    expect((await new Journal(cut, id).revise(async (contents) => ({ result: contents }))).changes).toHaveLength(2)
  })

  it('cuts off a torn end before the first line of a next process', async () => {
    const { memory, disk, readAnew } = await setUp()
    await disk.withFile(path, 'r+', async (handle) => {
      const { size } = await handle.stat()
      await handle.writev([Buffer.alloc(1000, '0')], size)
    })
    const journal = new Journal(disk, id)
    await journal.append(chunk(0), false)
    const bytes = await memory.readFile(path)
    expect(decodeJournal(bytes).end).toBe(bytes.length)
    expect(await readAnew()).toEqual([chunk(0)])
  })

  it('begins a journal that a power cut emptied', async () => {
    const { memory, disk, readAnew } = await setUp()
    await disk.write(path, Buffer.alloc(100), true)
    await new Journal(disk, id).append(chunk(0), false)
    expect(await readAnew()).toEqual([chunk(0)])
    await memory.unlink(path)
    await new Journal(disk, id).append(chunk(1), false)
    expect(await readAnew()).toEqual([chunk(1)])
  })

  it('refuses the journal of another upload', async () => {
    const { disk, journal } = await setUp()
    await disk.write(path, encodeLines([{ v: 1, id: 'other', boot: 'boot-1' }]), true)
    await expect(journal.append(chunk(0), false)).rejects.toThrow(/another upload/)
  })
})

describe('an end', () => {
  it('takes no bytes after it, also from those that wait with it', async () => {
    const { journal, written } = await setUp()
    const results = await Promise.allSettled([
      journal.append(chunk(0), false),
      journal.append({ type: 'completing' }, true),
      journal.append(chunk(1), false),
      journal.append({ type: 'ended', status: 'expired', at: 1 }, true),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
    await journal.append({ type: 'digest', sha256: 'ab' }, false)
    await journal.append({ type: 'ended', status: 'uploaded', at: 1 }, true)
    await expect(journal.append({ type: 'ended', status: 'failed', at: 1 }, true)).rejects.toMatchObject({
      code: 'UPLOAD_COMPLETED',
    })
    await expect(journal.append({ type: 'ended', status: 'cancelled', at: 2 }, true)).rejects.toMatchObject({
      code: 'UPLOAD_COMPLETED',
    })
    await journal.append({ type: 'ended', status: 'cancelled', at: 2, ofFile: true }, true)
    await journal.append({ type: 'ended', status: 'cancelled', at: 3 }, true)
    await expect(journal.append({ type: 'completing' }, true)).rejects.toMatchObject({ code: 'UPLOAD_CANCELLED' })
    expect((await written()).changes).toHaveLength(6)
  })

  it('takes a finished file away where its own time is over, and not where an expiry comes too late', async () => {
    const { journal, written } = await setUp()
    await journal.append({ type: 'completing' }, true)
    const expired = { type: 'ended', status: 'expired', at: 2, ofFile: true } as const
    await expect(journal.append(expired, true)).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
    await journal.append({ type: 'ended', status: 'uploaded', at: 1 }, true)
    const late = { type: 'ended', status: 'expired', at: 2 } as const
    await expect(journal.append(late, true)).rejects.toMatchObject({ code: 'UPLOAD_COMPLETED' })
    await journal.append(expired, true)
    expect((await written()).changes.at(-1)).toEqual(expired)
    await expect(journal.append({ type: 'completing' }, true)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' })
  })

  it('that could not be written is none', async () => {
    const { journal, files } = await setUp()
    files.fault = ({ name }) => (name === 'writev' ? systemError('ENOSPC') : undefined)
    await expect(journal.append({ type: 'completing' }, true)).rejects.toMatchObject({ code: 'ENOSPC' })
    files.fault = () => undefined
    await journal.append(chunk(0), false)
  })

  it('is known to a next process', async () => {
    const { journal, disk } = await setUp()
    await journal.append({ type: 'ended', status: 'failed', at: 1 }, true)
    await expect(new Journal(disk, id).append(chunk(0), false)).rejects.toMatchObject({ code: 'UPLOAD_FAILED' })
  })
})

describe('a journal that was just made', () => {
  const header = { v: 1, id, boot: 'boot-1' } as const

  async function justMade() {
    const made = await setUp()
    const { files, journal, memory } = made
    journal.begun(header, await files.open(path, 'w'))
    expect(await memory.readFile(path)).toHaveLength(0)
    return made
  }

  it('gets its header with its first line, by one write', async () => {
    const { journal, files, written } = await justMade()
    const before = files.count('writev')
    await journal.append(chunk(0), false)
    expect(files.count('writev') - before).toBe(1)
    await journal.append(chunk(1), false)
    expect(await written()).toMatchObject({ header, changes: [chunk(0), chunk(1)] })
  })

  it('gets it all the same where the first line failed, or where it is replaced before', async () => {
    const failed = await justMade()
    failed.files.fault = ({ name }) => (name === 'writev' || name === 'truncate' ? systemError('ENOSPC') : undefined)
    await expect(failed.journal.append(chunk(0), false)).rejects.toMatchObject({ code: 'ENOSPC' })
    failed.files.fault = () => undefined
    expect(failed.journal.known).toBeNull()
    await failed.journal.append(chunk(1), true)
    expect(await failed.written()).toMatchObject({ header, changes: [chunk(1)] })

    const replaced = await justMade()
    await replaced.journal.distrust()
    await replaced.journal.append(chunk(0), false)
    expect(await replaced.written()).toMatchObject({ header: { boot: '' }, changes: [chunk(0)] })
  })
})

describe('the file', () => {
  it('stays open for the lines that follow, and is closed after an end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { journal, files } = await setUp()
    const before = files.count('open', '/journal')
    await journal.append(chunk(0), false)
    await journal.append({ type: 'completing' }, true)
    expect(files.openHandles).toBe(1)
    await journal.append({ type: 'ended', status: 'uploaded', at: 1 }, true)
    expect(files.count('open', '/journal') - before).toBe(1)
    expect(files.openHandles).toBe(0)
    await journal.append({ type: 'digest', sha256: 'ab' }, false)
    await journal.letGo()
    expect(files.openHandles).toBe(0)
  })

  it('is closed when nobody has written it for a moment, and opened again', async () => {
    const { journal, files, readAnew } = await setUp()
    await journal.append(chunk(0), false)
    await expect.poll(() => files.openHandles).toBe(0)
    await journal.append(chunk(1), false)
    expect(await readAnew()).toEqual([chunk(0), chunk(1)])
  })

  it('is the one that stands under its name, also after it was replaced', async () => {
    const { journal, files, readAnew } = await setUp()
    await journal.append(chunk(0), false)
    await journal.revise(async ({ changes }) => ({ result: 0, changes: [...changes, chunk(1)] }))
    expect(files.openHandles).toBe(0)
    await journal.append(chunk(2), false)
    expect(await readAnew()).toEqual([chunk(0), chunk(1), chunk(2)])
  })

  it('is closed when the journal is shut', async () => {
    const { journal, files } = await setUp()
    await journal.append(chunk(0), false)
    await journal.shut()
    expect(files.openHandles).toBe(0)
  })
})

describe('a revision', () => {
  it('loses no line that is appended meanwhile', async () => {
    const { journal, readAnew } = await setUp()
    await journal.append(chunk(0), false)
    let appended: Promise<void> | undefined
    await journal.revise(async ({ changes }) => {
      appended = journal.append(chunk(1), false)
      return { result: undefined, changes: [...changes, chunk(7)] }
    })
    await appended
    expect(await readAnew()).toEqual([chunk(0), chunk(7), chunk(1)])
  })

  it('leaves the journal as it was when it cannot be written', async () => {
    const { journal, files, readAnew } = await setUp()
    await journal.append(chunk(0), false)
    files.fault = ({ name }) => (name === 'rename' ? systemError('EIO') : undefined)
    await expect(journal.revise(async () => ({ result: 0, changes: [] }))).rejects.toMatchObject({ code: 'EIO' })
    files.fault = () => undefined
    await journal.append(chunk(1), false)
    expect(await readAnew()).toEqual([chunk(0), chunk(1)])
  })

  it('is written on where it has taken its place though the system said that it failed', async () => {
    const { disk, memory } = await setUp()
    const layer = new FaultLayer(memory)
    const journal = new Journal(new Disk(layer, disk.layout, 'complete', 'boot-1'), id)
    await journal.append(chunk(0), false)
    layer.plan = ({ name }) => (name === 'rename' ? { when: 'after', code: 'EIO' } : null)
    await expect(journal.distrust()).rejects.toMatchObject({ code: 'EIO' })
    layer.plan = () => null
    await journal.append(chunk(1), false)
    const changes = (of: Journal) => of.revise(async (contents) => ({ result: contents.changes }))
    expect(await changes(journal)).toEqual([chunk(0), chunk(1)])
    expect(await changes(new Journal(disk, id))).toEqual([chunk(0), chunk(1)])
  })

  it('is whole after a power cut', async () => {
    const { journal, memory } = await setUp()
    await journal.revise(async () => ({ result: 0, changes: [chunk(3)] }))
    for (const names of [false, true]) {
      const after = memory.powerCut(() => false, names)
      expect(decodeJournal(await after.readFile(path)).changes).toEqual([chunk(3)])
    }
  })
})

describe('what is known without reading', () => {
  it('is what the file says, whatever failed before', async () => {
    const random = new Random(runSeed())
    const { files, disk, readAnew } = await setUp()
    const journal = new Journal(disk, id)
    journal.begun({ v: 1, id, boot: 'boot-1' }, await files.open(path, 'w'))
    let times = 0
    for (let number = 0; number < 300; number += 1) {
      const failing = random.pick([null, null, 'writev', 'datasync', 'truncate', 'rename', 'close'] as const)
      files.fault = ({ name }) => (name === failing && random.chance(0.5) ? systemError('EIO') : undefined)
      const changes = random.chance(0.1) ? [chunk(number)] : null
      await (changes === null
        ? journal.append(chunk(number), random.chance(0.5))
        : journal.revise(async () => ({ result: 0, changes }))
      ).catch(() => {})
      files.fault = () => undefined
      if (journal.known === null) continue
      times += 1
      expect(journal.known.changes).toEqual(await readAnew())
    }
    expect(times).toBeGreaterThan(30)
  })

  it('is nothing while a line is on its way, after one failed, and of many lines', async () => {
    const { journal, files } = await setUp()
    expect(journal.known).toBeNull()
    await journal.append(chunk(0), false)
    expect(journal.known?.changes).toEqual([chunk(0)])
    const appended = journal.append(chunk(1), false)
    expect(journal.known).toBeNull()
    await appended
    files.fault = ({ name }) => (name === 'writev' ? systemError('EIO') : undefined)
    await expect(journal.append(chunk(2), false)).rejects.toMatchObject({ code: 'EIO' })
    expect(journal.known).toBeNull()
    files.fault = () => undefined
    await journal.revise(async () => ({ result: 0, changes: [chunk(0)] }))
    for (let number = 1; number < 40; number += 1) await journal.append(chunk(number), false)
    expect(journal.known).toBeNull()
  })
})

describe('a journal that is shut', () => {
  it('writes what waits, and takes no more', async () => {
    const { journal, written } = await setUp()
    const appended = journal.append(chunk(0), false)
    await journal.shut()
    await appended
    await expect(journal.append(chunk(1), false)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect((await written()).changes).toEqual([chunk(0)])
  })
})
