import type { FileRecord, FileRepository } from '../../files.ts'
import type { Disk } from './disk.ts'
import { isCount, isObject, isStringOrNull, parseJson, toJson } from './json.ts'
import { isId } from './layout.ts'
import { isJsonObject } from './manifest.ts'
import { storageError } from './storage-error.ts'

/** Records of finished files, beside the bytes: `files/<fileId>.json`. */
export class FileRecords implements FileRepository {
  readonly #disk: () => Disk

  /** `disk` gives the directory while it is open, and throws otherwise. */
  constructor(disk: () => Disk) {
    this.#disk = disk
  }

  async put(file: FileRecord): Promise<void> {
    if (!isId(file.id)) throw new Error('The id of a file is not a UUID.')
    await this.#run((disk) => disk.replace(disk.layout.fileRecord(file.id), toJson(file), disk.fsync !== 'off'))
  }

  async get(fileId: string): Promise<FileRecord | null> {
    if (!isId(fileId)) return null
    const content = await this.#run((disk) => disk.read(disk.layout.fileRecord(fileId)))
    const value = content === null ? undefined : parseJson(content)
    return isFileRecord(value) ? value : null
  }

  async remove(fileId: string): Promise<void> {
    if (!isId(fileId)) return
    await this.#run(async (disk) => {
      await disk.remove(disk.layout.fileRecord(fileId))
      if (disk.fsync !== 'off') await disk.syncFolder(disk.layout.files)
    })
  }

  async #run<T>(work: (disk: Disk) => Promise<T>): Promise<T> {
    const disk = this.#disk()
    try {
      return await work(disk)
    } catch (error) {
      throw storageError(error)
    }
  }
}

function isFileRecord(value: unknown): value is FileRecord {
  return (
    isObject(value) &&
    typeof value.id === 'string' &&
    typeof value.uploadId === 'string' &&
    isStringOrNull(value.owner) &&
    typeof value.name === 'string' &&
    isCount(value.size) &&
    typeof value.contentType === 'string' &&
    isJsonObject(value.metadata) &&
    isCount(value.uploadedAt) &&
    isStringOrNull(value.checksum)
  )
}
