import { createHash, randomUUID } from 'node:crypto'
import { join, sep } from 'node:path'

const ID = /^[0-9a-f-]{36}$/

/** Whether a string has the shape of our ids. Nothing else ever becomes part of a path. */
export function isId(value: string): boolean {
  return ID.test(value)
}

/** Names of folders on their way out of `uploads/`, and of such as were once on their way in. */
export const PASSING_FOLDER = /^\.(?:new|gone)-[0-9a-f-]{36}-[0-9a-f]{8}$/
/** Names of files that are written before they are renamed or linked to their place. */
export const TEMPORARY_FILE = /^\.[0-9a-z.-]{5,80}-[0-9a-f]{8}\.tmp$/
/** Eight random hex digits. (Random bytes are asked of the system one by one; those of UUIDs 128 at a time.) */
export function randomName(): string {
  return randomUUID().slice(0, 8)
}

/** Names of claims. */
export const CLAIM_FILE = /^[0-9a-f]{64}\.json$/

/** Everything that stands in an upload's folder. The manifest comes first: see forget.ts for why. */
export const UPLOAD_FILES = ['manifest.json', 'journal', 'journal.new', 'data', 'data.shared'] as const

/**
 * Where everything is below one directory. Ids given to it have been checked with {@link isId}: so paths need no normalising,
 * which for a small file costs as much as a call of the system.
 */
export class Layout {
  readonly directory: string
  readonly uploads: string
  readonly files: string
  readonly claims: string
  readonly owner: string
  readonly secret: string

  constructor(directory: string) {
    this.directory = directory
    this.uploads = join(directory, 'uploads')
    this.files = join(directory, 'files')
    this.claims = join(directory, 'claims')
    this.owner = join(directory, 'owner.json')
    this.secret = join(directory, 'secret.json')
  }

  /** Folder of an upload. */
  upload(id: string): string {
    return this.uploads + sep + id
  }

  manifest(id: string): string {
    return `${this.upload(id)}${sep}manifest.json`
  }

  journal(id: string): string {
    return `${this.upload(id)}${sep}journal`
  }

  /** A journal that is about to take the place of another. */
  newJournal(id: string): string {
    return `${this.upload(id)}${sep}journal.new`
  }

  /** The bytes of an upload until they are whole. */
  data(id: string): string {
    return `${this.upload(id)}${sep}data`
  }

  /** A copy of a part that is about to become the bytes of an upload. */
  shared(id: string): string {
    return `${this.upload(id)}${sep}data.shared`
  }

  /** The bytes of a finished file. */
  file(fileId: string): string {
    return this.files + sep + fileId
  }

  fileRecord(fileId: string): string {
    return `${this.file(fileId)}.json`
  }

  /** A claim. The key is a client's own text, so it is hashed before it becomes a name. */
  claim(key: string): string {
    return join(this.claims, `${createHash('sha256').update(key).digest('hex')}.json`)
  }

  /** A folder that is an upload's no longer. */
  gone(id: string): string {
    return this.upload(`.gone-${id}-${randomName()}`)
  }
}
