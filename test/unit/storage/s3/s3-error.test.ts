import { describe, expect, it } from 'vitest'
import { UploadError } from '../../../../src/errors.ts'
import { isNoSuchUpload, isPassing, isTooLong, storageError } from '../../../../src/storage/s3/s3-error.ts'
import { s3Error } from '../../../support/faulty-s3.ts'

const systemError = (code: string) => Object.assign(new Error(code), { code })

describe('isPassing', () => {
  it.each([
    s3Error('InternalError', 500),
    s3Error('SlowDown', 503),
    s3Error('Whatever', 502),
    s3Error('TooManyRequests', 429),
    s3Error('RequestTimeout', 400),
    s3Error('BadDigest', 400),
    // A 200 whose body says that it failed.
    s3Error('SyntaxError', 200),
    s3Error('ConditionalRequestConflict', 409),
    s3Error('ConcurrentModification', 409),
    systemError('ECONNRESET'),
    systemError('ECONNREFUSED'),
    systemError('ENOTFOUND'),
    Object.assign(new Error('slow'), { name: 'TimeoutError' }),
  ])('tries again after %s', (error) => {
    expect(isPassing(error)).toBe(true)
  })

  it.each([
    s3Error('AccessDenied', 403),
    s3Error('NoSuchKey', 404),
    s3Error('PreconditionFailed', 412),
    s3Error('InvalidPart', 400),
    s3Error('EntityTooSmall', 400),
    s3Error('InsufficientCapacity', 507),
    systemError('ENOENT'),
    new TypeError('a mistake of ours'),
    new UploadError('STORAGE_UNAVAILABLE'),
  ])('does not try again after %s', (error) => {
    expect(isPassing(error)).toBe(false)
  })
})

describe('isTooLong', () => {
  it.each([s3Error('InvalidRange', 416), s3Error('MaxMessageLengthExceeded', 400), s3Error('Whatever', 413)])(
    'knows %s',
    (error) => {
      expect(isTooLong(error)).toBe(true)
    },
  )

  it.each([s3Error('InvalidPart', 400), s3Error('InternalError', 500)])('does not take %s for it', (error) => {
    expect(isTooLong(error)).toBe(false)
  })
})

describe('storageError', () => {
  it.each([
    [s3Error('InternalError', 500), 'STORAGE_UNAVAILABLE'],
    [systemError('ECONNREFUSED'), 'STORAGE_UNAVAILABLE'],
    [s3Error('NoSuchBucket', 404), 'STORAGE_UNAVAILABLE'],
    [s3Error('AccessDenied', 403), 'STORAGE_UNAVAILABLE'],
    [s3Error('403', 403), 'STORAGE_UNAVAILABLE'],
    [Object.assign(new Error('no keys'), { name: 'CredentialsProviderError' }), 'STORAGE_UNAVAILABLE'],
    [s3Error('QuotaExceeded', 403), 'STORAGE_FULL'],
    [s3Error('XMinioStorageFull', 507), 'STORAGE_FULL'],
    // What Ceph says.
    [s3Error('InsufficientCapacity', 507), 'STORAGE_FULL'],
    [s3Error('InvalidArgument', 400), 'INTERNAL'],
    [new UploadError('CHUNK_CONFLICT'), 'CHUNK_CONFLICT'],
  ])('tells a client of %s as %s', (error, code) => {
    expect(storageError(error)).toMatchObject({ code })
  })

  it('leaves what is no error of S3 as it is', () => {
    const error = new TypeError('a mistake of ours')
    expect(storageError(error)).toBe(error)
  })
})

describe('isNoSuchUpload', () => {
  it('knows what AWS and what Ceph say', () => {
    expect(isNoSuchUpload(s3Error('NoSuchUpload', 404))).toBe(true)
    expect(isNoSuchUpload(s3Error('NoSuchKey', 404))).toBe(true)
    expect(isNoSuchUpload(s3Error('NoSuchBucket', 404))).toBe(false)
  })
})
