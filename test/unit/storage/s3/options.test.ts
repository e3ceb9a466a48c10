import { describe, expect, it } from 'vitest'
import { S3Storage, type S3StorageOptions } from '../../../../src/storage/s3/index.ts'

const client = { send: () => Promise.reject(new Error('nobody is asked')) }

describe('the options of S3Storage', () => {
  it.each([
    [{ client: {} }, 'client'],
    [{ bucket: '' }, 'bucket'],
    [{ prefix: 'a' }, 'prefix'],
    [{ prefix: '/' }, 'prefix'],
    [{ prefix: '/a/' }, 'prefix'],
    [{ key: 'files/{id}' }, 'key'],
    [{ maxChunks: 0 }, 'maxChunks'],
    [{ maxChunks: 1.5 }, 'maxChunks'],
    [{ dialect: { maxParts: -1 } }, 'dialect.maxParts'],
    [{ retry: { attempts: 0 } }, 'retry.attempts'],
    [{ retry: { stallMs: NaN } }, 'retry.stallMs'],
  ])('are refused by name where they are wrong: %j', (wrong, name) => {
    const options = { client, bucket: 'acme', ...wrong } as unknown as S3StorageOptions
    expect(() => new S3Storage(options)).toThrow(new RegExp(`^${name.replace('.', '\\.')} must `))
  })

  it('are the limits of AWS unless another dialect is spoken', () => {
    expect(new S3Storage({ client, bucket: 'acme' }).limits).toEqual({
      minChunkSize: 5_242_880,
      maxChunkSize: 5_368_709_120,
      maxChunks: 10_000,
    })
    const dialect = { maxParts: 1000, minPartSize: 1, maxPartSize: 1_000_000 }
    expect(new S3Storage({ client, bucket: 'acme', dialect }).limits).toEqual({
      minChunkSize: 1,
      maxChunkSize: 1_000_000,
      maxChunks: 1000,
    })
    expect(new S3Storage({ client, bucket: 'acme', dialect, maxChunks: 5000 }).limits.maxChunks).toBe(1000)
    expect(new S3Storage({ client, bucket: 'acme', dialect, maxChunks: 50 }).limits.maxChunks).toBe(50)
  })
})
