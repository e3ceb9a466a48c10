import { createHook } from 'node:async_hooks'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { nodeFiles } from '../../../../src/storage/file/file-layer.ts'
import { tempDir } from '../../../support/temp-dir.ts'

/** How many calls of the system a piece of work has begun in threads when it returns, and what it returns. */
function callsBegun<T>(work: () => T): { readonly calls: number; readonly result: T } {
  let calls = 0
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'FSREQCALLBACK') calls += 1
    },
  }).enable()
  const result = work()
  hook.disable()
  return { calls, result }
}

describe('an open file', () => {
  it('writes at a position, reads, and tells and changes its size', async () => {
    const path = join(await tempDir(), 'a')
    const handle = await nodeFiles.open(path, 'w+', 0o600)
    expect(await handle.writev([Buffer.from('ab'), Buffer.from('cd')], 1)).toEqual({ bytesWritten: 4 })
    expect(await handle.stat()).toMatchObject({ size: 5 })
    await handle.truncate(4)
    await handle.datasync()
    await handle.sync()
    const buffer = Buffer.alloc(10)
    expect(await handle.read(buffer, 2, 8, 0)).toEqual({ bytesRead: 4 })
    expect(buffer.toString('latin1', 2, 6)).toBe('\0abc')
    await handle.close()
    expect((await readFile(path)).length).toBe(4)
  })

  it('is closed when no call is under way: its number belongs to the next file then', async () => {
    const path = join(await tempDir(), 'pipe')
    await promisify(execFile)('mkfifo', [path])
    const handle = await nodeFiles.open(path, 'r+')
    const order: string[] = []
    const reading = handle.read(Buffer.alloc(5), 0, 5, -1).then(() => order.push('read'))
    const closing = handle.close().then(() => order.push('closed'))
    // Whatever is opened meanwhile is another one.
    await writeFile(`${path}.other`, 'x')
    expect(order).toEqual([])
    await writeFile(path, 'hello')
    await Promise.all([reading, closing])
    expect(order).toEqual(['read', 'closed'])
  })

  it.each([
    ['is small', 64 * 1024, 0],
    ['is larger', 64 * 1024 + 1, 1],
    ['may have any size', 0, 1],
  ])(
    'that %s, by the %d bytes that were written to it, is closed with %d calls in a thread',
    async (_, bytes, calls) => {
      const path = join(await tempDir(), 'a')
      const handle = await nodeFiles.open(path, 'w')
      if (bytes > 0) await handle.writev([Buffer.alloc(5), Buffer.alloc(bytes - 6)], 1)
      const closing = callsBegun(() => handle.close())
      expect(closing.calls).toBe(calls)
      await closing.result
      await expect(handle.stat()).rejects.toMatchObject({ code: 'EBADF' })
    },
  )

  it('takes no call once it is closed, and is closed once', async () => {
    const handle = await nodeFiles.open(join(await tempDir(), 'a'), 'w')
    await Promise.all([handle.close(), handle.close()])
    await expect(handle.writev([Buffer.from('a')], 0)).rejects.toMatchObject({ code: 'EBADF' })
    await expect(handle.close()).resolves.toBeUndefined()
  })
})

it('an error of the system says what it is of', async () => {
  const path = join(await tempDir(), 'none/a')
  const failed = { code: 'ENOENT', syscall: 'open', path }
  await expect(nodeFiles.open(path, 'r')).rejects.toMatchObject(failed)
  await expect(nodeFiles.readFile(path)).rejects.toMatchObject(failed)
  await expect(nodeFiles.rename(path, `${path}b`)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'rename' })
  await expect(nodeFiles.stat(path)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'stat' })
})
