import { S3Client } from '@aws-sdk/client-s3'
import { MIB } from '../../../../src/grid.ts'
import { S3Storage, s3ClientOptions } from '../../../../src/storage/s3/index.ts'
import { describeWithS3, newBucket, s3Service } from '../../../support/services/s3.ts'
import { describeStorage } from '../../../support/storage-suite.ts'

describeWithS3('S3', () => {
  describeStorage(
    'S3Storage',
    async () => {
      const bucket = await newBucket()
      const client = new S3Client({ ...s3ClientOptions(), ...s3Service() })
      const open = async () => {
        const storage = new S3Storage({ client, bucket })
        await storage.open()
        return storage
      }
      return { storage: await open(), reopen: open, remove: async () => client.destroy() }
    },
    5 * MIB,
  )
})
