import { afterEach, beforeEach, expect, it } from 'vitest'
import { internalError } from '../../../support/faulty-s3.ts'
import { describeWithS3 } from '../../../support/services/s3.ts'
import { S3Place } from '../../../support/s3-place.ts'
import { testManifest } from '../../../support/storage-suite.ts'

describeWithS3('the secret of a prefix', () => {
  let place: S3Place

  beforeEach(async () => {
    place = await S3Place.make()
  })

  afterEach(() => place.leave())

  it('is one, however many nodes ask for it first', async () => {
    const nodes = await Promise.all(Array.from({ length: 6 }, () => place.open()))
    const secrets = await Promise.all(nodes.map((node) => node.secret()))
    expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(1)
    expect(await place.keys()).toEqual(['holdfast/secret'])
    const other = await (await place.open({ prefix: 'other/' })).secret()
    expect(other.equals(secrets[0] ?? other)).toBe(false)
  })

  it('is the one that was written, where the answer to that was lost', async () => {
    const [one, other] = [await place.open(), await place.open()]
    for (const when of ['before', 'after'] as const) {
      let failed = false
      place.s3.plan = ({ name }) => {
        if (name !== 'PutObject' || failed) return null
        failed = true
        return { when, error: internalError() }
      }
      const secret = await one.secret()
      expect((await other.secret()).equals(secret)).toBe(true)
    }
  })

  it('that cannot be read is not replaced', async () => {
    await place.put('holdfast/secret', '{"version":1}')
    await expect((await place.open()).secret()).rejects.toThrow(/cannot be read/)
    expect((await place.get('holdfast/secret')).toString()).toBe('{"version":1}')
  })

  it('is no place for a file', async () => {
    const storage = await place.open({ key: () => 'holdfast/secret' })
    await expect(storage.create(testManifest({ chunkSize: 5 * 1024 * 1024 }))).rejects.toThrow(/among the records/)
  })
})
