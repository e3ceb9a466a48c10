import type { S3Request } from './s3-proxy-request.ts'

/** What a proxy to S3 does to a request. */
export interface S3Fault {
  /** Before S3 hears of it, or after S3 has answered. */
  readonly when: 'before' | 'after'
  readonly how: S3Failure
}

/**
 * - `reset`: the connection is broken;
 * - `late`: the connection is broken, and S3 hears of the request a while later;
 * - `forget`: the connection is broken, and when the request is repeated S3 knows no such multipart upload any more;
 * - `500`, `503`: an answer of S3 that says so;
 * - `stall`: no answer ever comes;
 * - `200`: an answer that begins as a success, and says in its body that it is none;
 * - `cut`: the answer breaks off in the middle of its body;
 * - `hang`: nothing more comes after the middle of its body.
 */
type S3Failure = 'reset' | 'late' | 'forget' | '500' | '503' | 'stall' | '200' | 'cut' | 'hang'

/** Ways of failing that any request knows. */
const ANY: readonly S3Fault[] = [
  { when: 'before', how: 'reset' },
  { when: 'before', how: 'late' },
  { when: 'before', how: '500' },
  { when: 'before', how: '503' },
  { when: 'after', how: 'reset' },
  { when: 'after', how: '500' },
  { when: 'after', how: 'stall' },
]

/** Of a request that is answered with more than a head. */
const CUT: S3Fault = { when: 'after', how: 'cut' }
const BODY: readonly S3Fault[] = [CUT, { when: 'after', how: 'hang' }]

/** Ways of failing that only some requests know, by name. */
const OWN: Readonly<Record<string, readonly S3Fault[]>> = {
  CreateMultipartUpload: BODY,
  CompleteMultipartUpload: [
    // S3 begins its answer before it knows how it ends. (Of one that has begun, the rest is given minutes.)
    CUT,
    { when: 'before', how: '200' },
    { when: 'after', how: '200' },
    // Ceph answers a repetition as it did at first.
    { when: 'after', how: 'forget' },
  ],
  GetObject: BODY,
  ListObjectsV2: BODY,
  ListParts: BODY,
}

/** All ways in which a request may fail. */
export function faultsOf({ name }: Pick<S3Request, 'name'>, when?: S3Fault['when']): readonly S3Fault[] {
  const faults = [...ANY, ...(OWN[name] ?? [])]
  return when === undefined ? faults : faults.filter((fault) => fault.when === when)
}

/** A way of failing, for people. */
export function faultName({ when, how }: S3Fault): string {
  return `${how} ${when} it took effect`
}

const CODES = {
  '200': 'InternalError',
  '404': 'NoSuchUpload',
  '500': 'InternalError',
  '503': 'SlowDown',
} as const

/** An answer that S3 gives when it fails. */
export function failureAnswer(status: keyof typeof CODES): { readonly status: number; readonly body: string } {
  const error = `<Error><Code>${CODES[status]}</Code><Message>A proxy says so.</Message></Error>`
  return { status: Number(status), body: `<?xml version="1.0" encoding="UTF-8"?>${error}` }
}
