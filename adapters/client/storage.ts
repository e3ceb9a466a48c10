type MaybePromise<T> = T | Promise<T>

/** Where an uploader remembers what it has begun. Values hold the tokens of unfinished uploads. */
export interface UploadStorage {
  get(key: string): MaybePromise<string | null>
  /** A failure does not stop an upload: it is then not found again after a reload. */
  set(key: string, value: string): MaybePromise<void>
  delete(key: string): MaybePromise<void>
  keys(): MaybePromise<readonly string[]>
}
