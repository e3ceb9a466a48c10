import { S3Bucket } from './s3-proxy-bucket.ts'
import { startCephOfSmallParts } from './s3-proxy-ceph.ts'
import { S3Lane } from './s3-proxy-stage.ts'
import { type S3Outcome, type S3Trial, tryLife } from './s3-proxy-trial.ts'
import type { CephServer } from './services/ceph-server.ts'

/** An S3 of a test file's own, and ways to it on which lives are lived at the same time. */
export class S3Lanes {
  readonly #ceph: CephServer
  readonly #bucket: S3Bucket
  readonly #lanes: readonly S3Lane[]
  #lives = 0
  /** Rejections of promises that nobody handled. */
  readonly rejections: unknown[] = []
  readonly #onRejection = (reason: unknown): void => void this.rejections.push(reason)

  private constructor(ceph: CephServer, bucket: S3Bucket, lanes: readonly S3Lane[]) {
    this.#ceph = ceph
    this.#bucket = bucket
    this.#lanes = lanes
    process.on('unhandledRejection', this.#onRejection)
  }

  static async open(count: number): Promise<S3Lanes> {
    const ceph = await startCephOfSmallParts()
    const bucket = await S3Bucket.make(ceph.service)
    const lanes = await Promise.all(Array.from({ length: count }, () => S3Lane.open(ceph.service, bucket)))
    return new S3Lanes(ceph, bucket, lanes)
  }

  async close(): Promise<void> {
    process.off('unhandledRejection', this.#onRejection)
    await Promise.all(this.#lanes.map((lane) => lane.close()))
    this.#bucket.leave()
    await this.#ceph.stop()
  }

  /** Tries them all, as many at a time as there are lanes; what comes of each, in order. */
  async try(trials: readonly S3Trial[]): Promise<S3Outcome[]> {
    const outcomes: S3Outcome[] = []
    const queue = trials.entries()
    const work = async (lane: S3Lane): Promise<void> => {
      for (const [n, trial] of queue) outcomes[n] = await tryLife(lane, `life-${(this.#lives += 1)}/`, trial)
    }
    await Promise.all(this.#lanes.map(work))
    return outcomes
  }
}
