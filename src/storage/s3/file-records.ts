import type { FileRecord, FileRepository } from '../../files.ts'
import type { S3Context } from './context.ts'
import { isId } from './keys.ts'
import { putFileRecord, removeFileRecord } from './records.ts'

/** Records of finished files: the ends of their uploads. */
export class S3FileRecords implements FileRepository {
  readonly #run: <T>(work: (context: S3Context) => Promise<T>) => Promise<T>

  /** `run` does what a close of the storage waits for. */
  constructor(run: <T>(work: (context: S3Context) => Promise<T>) => Promise<T>) {
    this.#run = run
  }

  async put(file: FileRecord): Promise<void> {
    if (!isId(file.id) || !isId(file.uploadId)) throw new Error('The ids of a file are not UUIDs.')
    await this.#run((context) => putFileRecord(context, file))
  }

  async get(fileId: string): Promise<FileRecord | null> {
    if (!isId(fileId)) return null
    return await this.#run(async ({ ends }) => {
      const standing = await ends.recent(fileId)
      return standing?.end.status === 'uploaded' ? standing.end.file : null
    })
  }

  async remove(fileId: string): Promise<void> {
    if (!isId(fileId)) return
    await this.#run((context) => removeFileRecord(context, fileId))
  }
}
