/** A request to S3 as a proxy sees it: no more than its first line tells. */
export interface S3Request {
  /** The operation: `PutObject`, `UploadPart`, … */
  readonly name: string
  /** The key, or the prefix that is listed; empty where it is the bucket's alone. */
  readonly key: string
}

/** What a request asks for, by its method and target (path style: the bucket is the first segment). */
export function readS3Request(method: string, target: string): S3Request {
  const { pathname, searchParams } = new URL(target, 'http://s3.invalid')
  const key = decodeURIComponent(pathname.split('/').slice(2).join('/'))
  const has = (name: string): boolean => searchParams.has(name)
  if (key === '') return { name: nameOfBucket(method, has), key: searchParams.get('prefix') ?? '' }
  return { name: nameOfObject(method, has), key }
}

function nameOfBucket(method: string, has: (name: string) => boolean): string {
  if (method === 'HEAD') return 'HeadBucket'
  if (method === 'GET' && has('uploads')) return 'ListMultipartUploads'
  if (method === 'GET' && has('list-type')) return 'ListObjectsV2'
  return unknown(method)
}

function nameOfObject(method: string, has: (name: string) => boolean): string {
  const isMultipart = has('uploadId')
  switch (method) {
    case 'PUT':
      return isMultipart ? 'UploadPart' : 'PutObject'
    case 'POST':
      return isMultipart ? 'CompleteMultipartUpload' : 'CreateMultipartUpload'
    case 'GET':
      return isMultipart ? 'ListParts' : 'GetObject'
    case 'DELETE':
      return isMultipart ? 'AbortMultipartUpload' : 'DeleteObject'
    case 'HEAD':
      return 'HeadObject'
    default:
      return unknown(method)
  }
}

function unknown(method: string): never {
  throw new Error(`A proxy to S3 knows no such ${method}.`)
}
