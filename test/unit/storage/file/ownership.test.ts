import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { FileStorage } from '../../../../src/storage/file/index.ts'
import { FaultyFiles, MemoryFiles, systemError } from '../../../support/faulty-files.ts'
import { testManifest } from '../../../support/storage-suite.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const storageOn = (layer: MemoryFiles | FaultyFiles, ownerWaitMs = 0) =>
  new FileStorage({ directory: '/data', layer, ownerWaitMs })

const dead = {
  pid: 1,
  boot: 'boot-0',
  startTime: '1',
  namespace: null,
  token: '00000000-0000-4000-8000-000000000000',
  draining: false,
}

/** Files with an `owner.json` of somebody else. */
async function ownedBy(owner: object | string): Promise<MemoryFiles> {
  const memory = new MemoryFiles()
  await memory.mkdir('/data', { recursive: true })
  const handle = await memory.open('/data/owner.json', 'w')
  await handle.writev([Buffer.from(typeof owner === 'string' ? owner : JSON.stringify(owner))], 0)
  return memory
}

afterEach(() => {
  vi.useRealTimers()
})

describe('a directory', () => {
  it('is refused to a second storage of the same process, in one line', async () => {
    const memory = new MemoryFiles()
    const first = storageOn(memory)
    await first.open()
    await expect(storageOn(memory).open()).rejects.toThrow(
      `/data is in use by process ${process.pid}; stop it or choose another DATA_DIR`,
    )
    await expect(first.open()).rejects.toThrow('already open')
    await first.close()
    await storageOn(memory).open()
  })

  it.each([
    ['of another boot', dead],
    ['whose process is gone', { ...dead, boot: 'boot-1', pid: 4_194_305 }],
    ['whose pid is another process by now', { ...dead, boot: 'boot-1', pid: process.pid, startTime: '0' }],
    ['that a power cut left unreadable', ''],
    ['that is no owner', '{"pid":1}'],
  ])('is taken from an owner %s', async (_what, owner) => {
    const memory = await ownedBy(owner)
    // In this process's own namespace, as far as there is one.
    const namespace = await memory.readlink('/proc/self/ns/pid').catch(() => null)
    if (typeof owner === 'object') {
      const handle = await memory.open('/data/owner.json', 'w')
      await handle.writev([Buffer.from(JSON.stringify({ ...owner, namespace }))], 0)
    }
    const storage = storageOn(memory)
    await storage.open()
    await storage.close()
    expect(await memory.readdir('/data')).toEqual(expect.not.arrayContaining(['owner.json']))
  })

  it('goes to exactly one of many that take it from a dead owner at once', async () => {
    for (let round = 0; round < 30; round += 1) {
      const memory = await ownedBy(dead)
      const storages = Array.from({ length: 12 }, () => {
        const files = new FaultyFiles(memory)
        return storageOn(slowly(files, round))
      })
      const results = await Promise.allSettled(storages.map((storage) => storage.open()))
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await memory.readdir('/data')).toHaveLength(4)
    }
  })

  it('is taken though one that was taking it has died', async () => {
    for (let calls = 0; ; calls += 1) {
      const memory = await ownedBy(dead)
      const files = new FaultyFiles(memory)
      files.stopAfter(calls)
      const opened = await storageOn(files)
        .open()
        .then(
          () => true,
          () => false,
        )
      const results = await Promise.allSettled(
        [1, 2, 3].map((seed) => storageOn(slowly(new FaultyFiles(memory.kill()), seed)).open()),
      )
      // The three are one process and one start to each other: alive.
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect((await memory.readdir('/data')).filter((name) => name.startsWith('owner'))).toEqual(['owner.json'])
      if (opened) break
    }
  })

  it('is waited for while its owner drains', async () => {
    const memory = new MemoryFiles()
    const first = storageOn(memory)
    await first.open()
    await first.drain()
    const files = new FaultyFiles(memory)
    const second = storageOn(files)
    const opening = second.open()
    const looked = new Promise<void>((resolve) => {
      files.fault = ({ name, path }) => {
        if (name === 'stat' && path.endsWith('owner.json')) resolve()
        return undefined
      }
    })
    await looked
    await first.close()
    await opening
    await second.create(testManifest())
  })

  it('is waited for as long as it is told to', async () => {
    const memory = new MemoryFiles()
    const first = storageOn(memory)
    await first.open()
    const opening = storageOn(memory, 5_000).open()
    await first.close()
    await opening
  })

  it('stays with an owner of another container that gives signs of life', async () => {
    const memory = await ownedBy({ ...dead, boot: 'boot-1', namespace: 'pid:[1]' })
    const files = new FaultyFiles(memory)
    let beats = 0
    files.fault = ({ name, path }) => {
      beats += 1
      const at = new Date(Date.now() - 1000 + beats)
      if (name === 'stat' && path === '/data/owner.json') void memory.utimes(path, at, at)
      return undefined
    }
    await expect(storageOn(files).open()).rejects.toThrow('in use by process 1')
  })

  it('is taken from an owner of another container that has been silent', async () => {
    const memory = await ownedBy({ ...dead, boot: 'boot-1', namespace: 'pid:[1]' })
    const long = new Date(Date.now() - 60_000)
    await memory.utimes('/data/owner.json', long, long)
    await storageOn(memory).open()
  })

  it('is not written by an owner that was believed dead', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const memory = new MemoryFiles()
    const first = storageOn(memory)
    await first.open()
    await vi.advanceTimersByTimeAsync(1_000)
    await first.check()
    const second = storageOn(memory.kill())
    await second.open()
    await vi.advanceTimersByTimeAsync(1_000)
    await expect(first.create(testManifest())).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(first.check()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await first.drain().catch(() => {})
    await first.close()
    expect(await memory.readdir('/data')).toContain('owner.json')
    await second.create(testManifest())
  })
})

describe('opening', () => {
  it('refuses folders on two file systems, in one line that names both', async () => {
    const files = new FaultyFiles(new MemoryFiles())
    files.fault = ({ name, path }) =>
      name === 'rename' && path.includes('.probe') ? systemError('EXDEV', 'rename') : undefined
    await expect(storageOn(files).open()).rejects.toThrow(
      '/data/uploads and /data/files are on different file systems; mount one volume that holds both',
    )
    expect(await files.readdir('/data/uploads')).toEqual([])
  })

  it('comes before everything else', async () => {
    const storage = storageOn(new MemoryFiles())
    await expect(storage.load(testManifest().id)).rejects.toThrow('open()')
    await storage.close()
  })

  it('is asked for by check, which a full disk passes', async () => {
    const files = new FaultyFiles(new MemoryFiles())
    const storage = storageOn(files)
    await storage.open()
    files.fault = ({ name }) => (name === 'writev' ? systemError('ENOSPC') : undefined)
    await storage.check()
    files.fault = ({ name }) => (name === 'access' ? systemError('EROFS') : undefined)
    await expect(storage.check()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  })
})

describe('processes', () => {
  let entry = ''

  beforeAll(async () => {
    // Compiled apart, for a child knows no TypeScript.
    const out = join(fileURLToPath(new URL('../../../../node_modules/.cache', import.meta.url)), 'ownership-test')
    const root = fileURLToPath(new URL('../../../..', import.meta.url))
    const options = '--ignoreConfig --target es2023 --module nodenext --types node --skipLibCheck'
    const args = [...options.split(' '), '--rewriteRelativeImportExtensions', '--rootDir', 'src', '--outDir', out]
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    await promisify(execFile)(process.execPath, [tsc, ...args, 'src/storage/file/index.ts'], { cwd: root })
    await writeFile(join(out, 'package.json'), '{"type":"module"}')
    entry = pathToFileURL(join(out, 'storage/file/index.js')).href
  })

  /** Starts a process that opens a directory and holds it. Resolves with what it says of it. */
  async function start(directory: string, ownerWaitMs = 0) {
    const script = `
      const { FileStorage } = await import(${JSON.stringify(entry)})
      const storage = new FileStorage({ directory: ${JSON.stringify(directory)}, ownerWaitMs: ${ownerWaitMs} })
      process.stdin.once('data', async () => { await storage.drain(); console.log('draining') })
      process.stdin.once('end', async () => { await storage.close() })
      try { await storage.open(); console.log('open') } catch (error) { console.log(error.message); process.exit(0) }
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const says = async () => String((await lines.next()).value)
    return { child, says, first: await says() }
  }

  async function kill(child: ReturnType<typeof spawn>): Promise<void> {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  it('that start at once after a crash leave one owner', async () => {
    const directory = await tempDir()
    const owner = await start(directory)
    expect(owner.first).toBe('open')
    expect((await start(directory)).first).toContain(`in use by process ${owner.child.pid}`)
    await kill(owner.child)
    const started = await Promise.all(Array.from({ length: 6 }, () => start(directory)))
    expect(started.filter(({ first }) => first === 'open')).toHaveLength(1)
    expect((await readdir(directory)).toSorted()).toEqual(['claims', 'files', 'owner.json', 'uploads'])
  })

  it('hand a directory over: the next one waits until the first has drained', async () => {
    const directory = await tempDir()
    const first = await start(directory)
    first.child.stdin.write('drain\n')
    expect(await first.says()).toBe('draining')
    const second = start(directory)
    first.child.stdin.end()
    expect((await second).first).toBe('open')
  })
})

/** The same files, with every call taking a number of turns that depends on the seed. */
function slowly(files: FaultyFiles, seed: number): FaultyFiles {
  let state = seed + Math.floor(performance.now() * 1000)
  const turns = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 16) % 4
  }
  const wait = async () => {
    for (let turn = turns(); turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve))
  }
  const rename = files.rename.bind(files)
  files.rename = async (from, to) => {
    await wait()
    await rename(from, to)
  }
  const link = files.link.bind(files)
  files.link = async (existing, path) => {
    await wait()
    await link(existing, path)
  }
  const readFile = files.readFile.bind(files)
  files.readFile = async (path) => {
    const content = await readFile(path)
    await wait()
    return content
  }
  return files
}
