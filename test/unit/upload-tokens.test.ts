import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UploadTokens } from '../../src/upload-tokens.ts'

const secret = randomBytes(32)
const tokens = new UploadTokens(async () => secret)
const id = randomUUID()

describe('the token of an upload', () => {
  it('is its id under the secret, with a name before it', async () => {
    const mac = createHmac('sha256', secret).update(`upload-token:${id}`).digest('base64url')
    expect((await tokens.issuer())(id)).toBe(`hfu1_${mac}`)
  })

  it('is good for that upload, and no other', async () => {
    const token = (await tokens.issuer())(id)
    expect(await tokens.isOf(id, token)).toBe(true)
    expect(await tokens.isOf(randomUUID(), token)).toBe(false)
    expect(await tokens.isOf(`${id} `, token)).toBe(false)
    expect(await new UploadTokens(async () => randomBytes(32)).isOf(id, token)).toBe(false)
  })

  it('is nothing else, by one letter or by many', async () => {
    const token = (await tokens.issuer())(id)
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (let at = 0; at < token.length; at += 1) {
      for (const letter of letters) {
        const other = token.slice(0, at) + letter + token.slice(at + 1)
        expect(await tokens.isOf(id, other), other).toBe(other === token)
      }
    }
    const others = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.base64String(),
      fc.string().map((end) => token + end),
    )
    await fc.assert(
      fc.asyncProperty(others, async (text) => {
        expect(await tokens.isOf(id, text)).toBe(text === token)
      }),
    )
  })

  it('asks for the secret once, and again where that failed', async () => {
    let asked = 0
    const failing = new UploadTokens(async () => {
      asked += 1
      if (asked === 1) throw new Error('not now')
      return secret
    })
    await expect(failing.issuer()).rejects.toThrow('not now')
    const token = (await failing.issuer())(id)
    expect(await failing.isOf(id, token)).toBe(true)
    expect(asked).toBe(2)
  })

  it('asks for no secret where a text is none', async () => {
    const never = new UploadTokens(() => Promise.reject(new Error('was asked')))
    for (const text of ['', 'hfu1_', 'eyJhbGciOiJIUzI1NiJ9.e30.x', `hfu1_${'a'.repeat(42)}`, `hfu1_${'a'.repeat(44)}`])
      expect(await never.isOf(id, text)).toBe(false)
  })
})
