import type { S3Place } from './s3-place.ts'
import type { S3Moment } from './stopping-s3.ts'
import type { BothFaces } from './upload-verdict.ts'

/** A node that stands still for a while, and goes on as if nothing had been. */
export interface StillNode extends BothFaces {
  /** Has it stand still at a request to S3, once; resolves when it does. */
  stopsAt(moment: S3Moment): Promise<void>
  /** Lets it go on; nothing happens where it does already. */
  goOn(): void
  /** Whether it has told that it made the file of an upload. */
  hasCompleted(id: string): boolean
}

/** Two nodes on one Redis and one bucket, the other of which takes over what the first has begun. */
export interface TakeOver {
  readonly stopped: StillNode
  readonly other: StillNode
  readonly nodes: readonly StillNode[]
  readonly place: S3Place
  /** Has Redis forget everything. */
  flush(): Promise<void>
  /** Starts a third, which sweeps. */
  startAnother(): Promise<void>
}
