import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { sha256Software } from '../../../../adapters/client/sha256-software.ts'
import { sha256 } from '../../../../adapters/client/sha256.ts'

const right = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('SHA-256', () => {
  it('is right without WebCrypto, whatever the length', async () => {
    const lengths = [...Array.from({ length: 200 }, (_, n) => n), 1024 * 1024 - 1, 3 * 1024 * 1024 + 17]
    for (const length of lengths) {
      const bytes = randomBytes(length)
      expect(await sha256Software(bytes), `of ${length} bytes`).toBe(right(bytes))
    }
  })

  it('is right where the bytes are a part of a buffer', async () => {
    const bytes = randomBytes(1000)
    expect(await sha256Software(bytes.subarray(13, 700))).toBe(right(bytes.subarray(13, 700)))
  })

  it('is the same with WebCrypto, and where a page is not allowed to use it', async () => {
    const bytes = new Uint8Array(1000).map((_, n) => n)
    await expect(sha256(bytes.buffer)).resolves.toBe(right(bytes))
    vi.stubGlobal('crypto', {})
    onTestFinished(() => void vi.unstubAllGlobals())
    await expect(sha256(bytes.buffer)).resolves.toBe(right(bytes))
  })
})
