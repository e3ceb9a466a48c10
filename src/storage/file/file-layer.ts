import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'

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

/** The few calls of node:fs/promises that the storage makes, so that tests can make them fail. */
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

/** The operating system's files. */
export const nodeFiles: FileLayer = {
  open: (path, flags, mode) => fs.open(path, flags, mode),
  readFile: (path) => fs.readFile(path),
  readlink: (path) => fs.readlink(path),
  mkdir: (path, options) => fs.mkdir(path, options),
  rename: (from, to) => fs.rename(from, to),
  link: (existing, path) => fs.link(existing, path),
  clone: (from, to) => fs.copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL),
  unlink: (path) => fs.unlink(path),
  rmdir: (path) => fs.rmdir(path),
  readdir: (path) => fs.readdir(path),
  stat: (path) => fs.stat(path),
  access: (path, mode) => fs.access(path, mode),
  utimes: (path, atime, mtime) => fs.utimes(path, atime, mtime),
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
