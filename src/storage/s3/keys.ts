import { sha256 } from './sha256.ts'

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether a string has the shape of our ids. Nothing else ever becomes part of a key. */
export function isId(value: string): boolean {
  return ID.test(value)
}

/** Small facts of an upload that are objects of their own, because each is written once, by whoever comes first to it. */
export type FactName = 'length' | 'completing' | 'digest' | 'ledger'

/** Names of our own objects below one prefix. Ids given to it have been checked with {@link isId}. */
export class Keys {
  readonly prefix: string
  /** Folders of uploads. */
  readonly uploads: string
  /** Ends of uploads, by the ids of their files. */
  readonly records: string
  readonly claims: string
  readonly secret: string
  /** Finished files, unless the application names them. */
  readonly files: string
  /** Objects that are parts of files to come. */
  readonly parts: string

  constructor(prefix: string) {
    this.prefix = prefix
    this.uploads = `${prefix}uploads/`
    this.records = `${prefix}records/`
    this.claims = `${prefix}claims/`
    this.secret = `${prefix}secret`
    this.files = `${prefix}files/`
    this.parts = `${prefix}parts/`
  }

  /** Folder of an upload. */
  upload(id: string): string {
    return `${this.uploads}${id}/`
  }

  manifest(id: string): string {
    return `${this.uploads}${id}/manifest`
  }

  fact(id: string, name: FactName): string {
    return `${this.uploads}${id}/${name}`
  }

  /** Folder of an upload's tail segments. */
  tail(id: string): string {
    return `${this.uploads}${id}/tail/`
  }

  record(fileId: string): string {
    return `${this.records}${fileId}`
  }

  /** A claim. The key is a client's own text, so it is hashed before it becomes a name. */
  claim(key: string): string {
    return `${this.claims}${sha256(key)}`
  }

  /** A finished file. The upload's id in it tells whose a multipart upload is that was begun and nowhere recorded. */
  file(fileId: string, id: string): string {
    return `${this.files}${fileId}/${id}`
  }

  /** A part of files to come, named as a file is. */
  part(fileId: string, id: string): string {
    return `${this.parts}${fileId}/${id}`
  }

  /** The id of the upload that a key of {@link Keys.file} or {@link Keys.part} belongs to, or null. */
  uploadOf(key: string): string | null {
    const folder = [this.files, this.parts].find((one) => key.startsWith(one))
    if (folder === undefined) return null
    const [fileId, id, ...more] = key.slice(folder.length).split('/')
    return fileId !== undefined && id !== undefined && more.length === 0 && isId(fileId) && isId(id) ? id : null
  }

  /** The id of the upload in whose folder a key lies, or null. */
  folderOf(key: string): string | null {
    const id = key.startsWith(this.uploads) ? key.slice(this.uploads.length).split('/', 1)[0] : undefined
    return id !== undefined && isId(id) ? id : null
  }

  /** Whether a key lies among our own records, where no file may. */
  isRecord(key: string): boolean {
    const folders = [this.uploads, this.records, this.claims, this.parts]
    return key === this.secret || folders.some((folder) => key.startsWith(folder))
  }
}
