import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HashThread } from '../../../src/checksum/hash-thread.ts'

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
})
