import * as fs from 'node:fs'

/** The calls on an open file that the storage makes. Positions and sizes are bytes. */
export interface LayerHandle {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
  /** May write less than it was given, as the operating system may. */
  writev(buffers: readonly Buffer[], position: number): Promise<{ readonly bytesWritten: number }>
  truncate(size: number): Promise<void>
  stat(): Promise<{ readonly size: number }>
  datasync(): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/** What the storage asks of a path. */
export interface FileFacts {
  /** Bytes. */
  readonly size: number
  /** Id of the file system. */
  readonly dev: number
  /** ms since the epoch. */
  readonly mtimeMs: number
}

/** The few calls of node:fs that the storage makes, so that tests can make them fail. */
export interface FileLayer {
  /** `mode`: permissions of a file that is made by this. @default 0o666 without the process's mask */
  open(path: string, flags: string | number, mode?: number): Promise<LayerHandle>
  readFile(path: string): Promise<Buffer>
  readlink(path: string): Promise<string>
  mkdir(path: string, options: { readonly recursive: boolean }): Promise<unknown>
  rename(from: string, to: string): Promise<void>
  link(existing: string, path: string): Promise<void>
  /** A new file that shares the blocks of another; fails where the file system cannot do that, or the new name is taken. */
  clone(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  rmdir(path: string): Promise<void>
  readdir(path: string): Promise<string[]>
  stat(path: string): Promise<FileFacts>
  access(path: string, mode: number): Promise<void>
  utimes(path: string, atime: Date, mtime: Date): Promise<void>
}

/** The operating system's files, by the calls that take a callback: those of node:fs/promises cost twice as much. */
export const nodeFiles: FileLayer = {
  open: async (path, flags, mode) => new NodeHandle(await promised((done) => fs.open(path, flags, mode, done))),
  readFile: (path) => promised((done) => fs.readFile(path, done)),
  readlink: (path) => promised((done) => fs.readlink(path, done)),
  mkdir: (path, options) => promised((done) => fs.mkdir(path, options, done)),
  rename: (from, to) => settled((done) => fs.rename(from, to, done)),
  link: (existing, path) => settled((done) => fs.link(existing, path, done)),
  clone: (from, to) => settled((done) => fs.copyFile(from, to, CLONE, done)),
  unlink: (path) => settled((done) => fs.unlink(path, done)),
  rmdir: (path) => settled((done) => fs.rmdir(path, done)),
  readdir: (path) => promised((done) => fs.readdir(path, done)),
  stat: (path) => promised((done) => fs.stat(path, done)),
  access: (path, mode) => settled((done) => fs.access(path, mode, done)),
  utimes: (path, atime, mtime) => settled((done) => fs.utimes(path, atime, mtime, done)),
}

const CLONE = fs.constants.COPYFILE_FICLONE_FORCE | fs.constants.COPYFILE_EXCL

/** A file that ends no later than this, by what was written to it, is closed at once, bytes. */
const SMALL = 64 * 1024

/** An open file of the system. */
class NodeHandle implements LayerHandle {
  readonly #fd: number
  #underWay = 0
  /** Where the bytes that were written end, or 0. */
  #end = 0
  #onIdle: (() => void) | null = null
  #closing: Promise<void> | null = null

  constructor(fd: number) {
    this.#fd = fd
  }

  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }> {
    return this.#call((done) =>
      fs.read(this.#fd, buffer, offset, length, position, (error, bytesRead) => done(error, { bytesRead })),
    )
  }

  writev(buffers: readonly Buffer[], position: number): Promise<{ readonly bytesWritten: number }> {
    this.#end = Math.max(
      this.#end,
      buffers.reduce((end, { length }) => end + length, position),
    )
    return this.#call((done) =>
      fs.writev(this.#fd, buffers, position, (error, bytesWritten) => done(error, { bytesWritten })),
    )
  }

  truncate(size: number): Promise<void> {
    return this.#call((done) => fs.ftruncate(this.#fd, size, (error) => done(error, undefined)))
  }

  stat(): Promise<{ readonly size: number }> {
    return this.#call((done) => fs.fstat(this.#fd, done))
  }

  datasync(): Promise<void> {
    return this.#call((done) => fs.fdatasync(this.#fd, (error) => done(error, undefined)))
  }

  sync(): Promise<void> {
    return this.#call((done) => fs.fsync(this.#fd, (error) => done(error, undefined)))
  }

  /** Takes no call from now on, and closes when none is under way: the system gives its number to the next file. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    // Closing waits for nothing but the blocks of a file that was deleted: of a small one it is not worth a thread's while.
    if (this.#end > 0 && this.#end <= SMALL) fs.closeSync(this.#fd)
    else await settled((done) => fs.close(this.#fd, done))
  }

  async #call<T>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
    if (this.#closing !== null)
      throw Object.assign(new Error('EBADF: the file is closed'), { code: 'EBADF', syscall: 'io' })
    this.#underWay += 1
    try {
      return await promised(call)
    } finally {
      this.#underWay -= 1
      if (this.#underWay === 0) this.#onIdle?.()
    }
  }
}

function promised<T>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null ? resolve(value) : reject(error)))
  })
}

function settled(call: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error == null ? resolve() : reject(error)))
  })
}

/** Whether an error is the operating system's, with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
}

/** What a promise resolves to, or null where it fails because there is no such file or folder. */
export async function unlessMissing<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

/** Writes all of the buffers at a position, however little the system takes at a time. */
export async function writeAll(handle: LayerHandle, buffers: readonly Buffer[], position: number): Promise<void> {
  let rest = buffers.filter((buffer) => buffer.length > 0)
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at)
    if (bytesWritten === 0)
      throw Object.assign(new Error('The system wrote no byte.'), { code: 'EIO', syscall: 'writev' })
    at += bytesWritten
    rest = after(rest, bytesWritten)
  }
}

function after(buffers: readonly Buffer[], written: number): Buffer[] {
  const rest: Buffer[] = []
  let left = written
  for (const buffer of buffers) {
    if (left < buffer.length) rest.push(left === 0 ? buffer : buffer.subarray(left))
    left = Math.max(0, left - buffer.length)
  }
  return rest
}

/** Closes a handle whose errors cannot matter any more: what had to be durable was synced before. */
export async function closeQuietly(handle: LayerHandle): Promise<void> {
  try {
    await handle.close()
  } catch {
    // The descriptor is gone either way.
  }
}
