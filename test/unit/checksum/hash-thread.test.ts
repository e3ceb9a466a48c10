import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HashThread } from '../../../src/checksum/hash-thread.ts'
import { tempDir } from '../../support/temp-dir.ts'

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

function aThread(): HashThread {
  const thread = new HashThread()
  onTestFinished(() => thread.stop())
  return thread
}

describe('a hash in a thread', () => {
  it('is the SHA-256 of what it was given, in order, beside others', async () => {
    const thread = aThread()
    const files = Array.from({ length: 3 }, () => randomBytes(3_000_000))
    const digests = files.map(async (file) => {
      const hash = thread.create()
      for (let at = 0; at < file.length; at += 70_000) {
        // Memory of its own moves to the thread; a slice of a larger one is copied, and stays as it is.
        const piece = file.subarray(at, at + 70_000)
        await hash.update(at % 140_000 === 0 ? piece : Buffer.from(Uint8Array.from(piece).buffer))
      }
      return hash.digest()
    })
    const copies = files.map((file) => sha256(file))
    expect(await Promise.all(digests)).toEqual(copies)
    expect(files.map(sha256)).toEqual(copies)
  })

  it('goes on with what it reads from a file by itself, in order with what it is given', async () => {
    const bytes = randomBytes(1_000_000)
    const path = join(await tempDir(), 'file')
    await writeFile(path, bytes)
    const hash = aThread().create()
    hash.feed([bytes.subarray(0, 100_000)])
    expect(await hash.read([`${path}-gone`, path], 100_000, 900_000)).toBe(900_000)
    hash.feed([bytes.subarray(900_000)])
    expect(await hash.digest()).toBe(sha256(bytes))
  })

  it('says how far a file goes, and that there is none', async () => {
    const bytes = randomBytes(300_000)
    const path = join(await tempDir(), 'file')
    await writeFile(path, bytes)
    const hash = aThread().create()
    expect(await hash.read([path], 0, 400_000)).toBe(300_000)
    expect(await hash.read([path], 300_000, 400_000)).toBe(300_000)
    expect(await hash.read([`${path}-gone`], 300_000, 400_000)).toBe(300_000)
    expect(await hash.read([join(path, '..')], 300_000, 400_000)).toBe(300_000)
    expect(await hash.digest()).toBe(sha256(bytes))
  })

  it('that is dropped is waited for by nobody', async () => {
    const hash = aThread().create()
    const waiting = hash.digest()
    hash.drop()
    await expect(waiting).rejects.toThrow('dropped')
  })

  it('of nothing is that of no bytes', async () => {
    expect(await aThread().create().digest()).toBe(sha256(Buffer.alloc(0)))
  })

  it('fails when its thread ends, and never goes on as the hash of a part', async () => {
    const thread = aThread()
    const hash = thread.create()
    await hash.update(Buffer.from('the first half'))
    const waiting = hash.digest()
    await Promise.all([thread.stop(), expect(waiting).rejects.toThrow('thread')])
    await expect(hash.update(Buffer.from('the other half'))).rejects.toThrow('gone with its thread')
    await expect(hash.digest()).rejects.toThrow('gone with its thread')
    const another = thread.create()
    await another.update(Buffer.from('whole'))
    expect(await another.digest()).toBe(sha256(Buffer.from('whole')))
  })

  it('takes copies as well, in order with what it is given for good, and leaves the buffers as they are', async () => {
    const hash = aThread().create()
    const bytes = randomBytes(600_000)
    const before = Buffer.from(bytes)
    expect(hash.feed([bytes.subarray(0, 100_000), bytes.subarray(100_000, 250_000)])).toBe(true)
    await hash.update(Buffer.from(bytes.subarray(250_000, 400_000)))
    expect(hash.feed([bytes.subarray(400_000)])).toBe(true)
    expect(await hash.digest()).toBe(sha256(before))
    expect(bytes).toEqual(before)
  })

  it('takes copies as far as there is room, and takes more when they are hashed', async () => {
    const thread = aThread()
    const hash = thread.create()
    const piece = randomBytes(3 * 1024 * 1024)
    expect([hash.feed([piece]), hash.feed([piece]), hash.feed([piece])]).toEqual([true, true, false])
    const other = thread.create()
    await other.digest()
    expect(hash.feed([piece])).toBe(true)
    expect(await hash.digest()).toBe(sha256(Buffer.concat([piece, piece, piece])))
  })

  it('goes back to what it was at a mark, as often as it is asked to', async () => {
    const hash = aThread().create()
    hash.feed([Buffer.from('one ')])
    hash.mark(1)
    hash.feed([Buffer.from('wrong')])
    hash.mark(2)
    hash.back(1)
    hash.feed([Buffer.from('wrong again')])
    hash.back(1)
    hash.feed([Buffer.from('two ')])
    hash.mark(2)
    hash.settle(2)
    hash.feed([Buffer.from('wrong')])
    hash.back(2)
    hash.feed([Buffer.from('three')])
    expect(await hash.digest()).toBe(sha256(Buffer.from('one two three')))
  })

  it('takes no copies when its thread is gone, and does not begin another', async () => {
    const thread = aThread()
    const hash = thread.create()
    hash.feed([Buffer.from('the first half')])
    const waiting = hash.digest()
    await Promise.all([thread.stop(), expect(waiting).rejects.toThrow('thread')])
    expect(hash.feed([Buffer.from('the other half')])).toBe(false)
    hash.mark(1)
    hash.settle(1)
    hash.back(1)
    await expect(hash.digest()).rejects.toThrow('gone with its thread')
  })
})
