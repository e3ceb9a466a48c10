import { UploadError } from '../errors.ts'
import { createChecksum, type ChecksumAlgorithm, type RunningChecksum } from './algorithms.ts'

/** A checksum that a body must have. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  readonly digest: Buffer
}

/** What a request declares of its body. All of it must be so. */
export interface DeclaredChecksums {
  /** Declared before the body. */
  readonly before: readonly Checksum[]
  /**
   * Those that the sender announced for after the body, or null. Asked once, at the body's good end.
   * @throws UploadError `INVALID_REQUEST` where they have not come, or cannot be read
   */
  readonly after: (() => readonly Checksum[]) | null
}

/** The checksums of one body on its way, of each algorithm that is asked for. */
export class BodyChecksums {
  readonly #running: ReadonlyMap<ChecksumAlgorithm, RunningChecksum>

  constructor(algorithms: Iterable<ChecksumAlgorithm>) {
    this.#running = new Map([...algorithms].map((algorithm) => [algorithm, createChecksum(algorithm)]))
  }

  /** Takes the next bytes. */
  update(buffers: readonly Buffer[]): void {
    for (const running of this.#running.values()) for (const buffer of buffers) running.update(buffer)
  }

  /** The checksum of the bytes taken so far. */
  digest(algorithm: ChecksumAlgorithm): Buffer {
    const running = this.#running.get(algorithm)
    if (running === undefined) throw new Error(`The body was not summed up by ${algorithm}.`)
    return running.digest()
  }
}

/** What the algorithms are called where people read it. */
const NAMES: Readonly<Record<ChecksumAlgorithm, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha512: 'SHA-512',
  md5: 'MD5',
  crc32: 'CRC-32',
}

/**
 * Compares what was declared of a body with what it is.
 * @throws UploadError `CHECKSUM_MISMATCH`, with `details` besides the two checksums in hex
 */
export function verifyChecksums(
  declared: readonly Checksum[],
  digestOf: (algorithm: ChecksumAlgorithm) => Buffer,
  details: Readonly<Record<string, unknown>> = {},
): void {
  for (const { algorithm, digest } of declared) {
    const received = digestOf(algorithm)
    if (received.equals(digest)) continue
    const [actual, expected] = [received.toString('hex'), digest.toString('hex')]
    throw new UploadError('CHECKSUM_MISMATCH', {
      message: `The body has the ${NAMES[algorithm]} ${actual}, not the declared ${expected}. Nothing of it was kept; send it again.`,
      details: { ...details, algorithm, expected, actual },
    })
  }
}
