import { type Deliveries, owedIn, type Receiver } from '../../deliveries.ts'
import type { FileRecord, FileRepository, OwedFile } from '../../files.ts'
import type { S3Context } from './context.ts'
import type { Ends } from './ends.ts'
import { isId } from './keys.ts'
import { putFileRecord, removeFileRecord, settleDeliveries } from './records.ts'

/** Records of finished files: the ends of their uploads. */
export class S3FileRecords implements FileRepository {
  readonly #ends: Ends
  readonly #run: <T>(work: (context: S3Context) => Promise<T>) => Promise<T>

  /** `run` does what a close of the storage waits for. */
  constructor(ends: Ends, run: <T>(work: (context: S3Context) => Promise<T>) => Promise<T>) {
    this.#ends = ends
    this.#run = run
  }

  remembers(fileId: string): boolean {
    return this.#ends.remembers(fileId)
  }

  async put(file: FileRecord, owed: readonly Receiver[] = []): Promise<void> {
    if (!isId(file.id) || !isId(file.uploadId)) throw new Error('The ids of a file are not UUIDs.')
    await this.#run((context) => putFileRecord(context, file, owed))
  }

  async get(fileId: string): Promise<FileRecord | null> {
    if (!isId(fileId)) return null
    return await this.#run(async ({ ends }) => {
      const standing = await ends.recent(fileId)
      return standing?.end.status === 'uploaded' ? standing.end.file : null
    })
  }

  async owed(fileId: string, { recent = false } = {}): Promise<OwedFile | null> {
    if (!isId(fileId)) return null
    return await this.#run(async ({ ends }) => {
      const standing = await (recent ? ends.recent(fileId) : ends.read(fileId))
      const { status, file = null, deliveries = {} } = standing?.end ?? {}
      const receivers = owedIn(deliveries)
      return status !== 'uploaded' || file === null || receivers.length === 0 ? null : { file, receivers }
    })
  }

  async settle(fileId: string, outcomes: Deliveries): Promise<void> {
    if (!isId(fileId)) return
    await this.#run((context) => settleDeliveries(context, fileId, outcomes))
  }

  async remove(fileId: string): Promise<void> {
    if (!isId(fileId)) return
    await this.#run((context) => removeFileRecord(context, fileId))
  }
}
