import { type FileFacts, type FileLayer, type LayerHandle, nodeFiles } from '../../src/storage/file/file-layer.ts'
import { systemError } from './faulty-files.ts'

/** A call on the files of a running server. */
export interface LayerCall {
  readonly name: keyof FileLayer | keyof LayerHandle
  readonly path: string
  /** Of a write: where it goes in the file, what, and how the file was opened. */
  readonly write?: { readonly position: number; readonly bytes: Buffer; readonly flags: string | number }
}

/** What goes wrong with a call: it fails before it has done anything, or after it has done it all. */
export interface CallFault {
  readonly when: 'before' | 'after'
  readonly code: string
}

/** The system's files, or others, where any call can fail before or after it took effect. */
export class FaultLayer implements FileLayer {
  /** Asked before every call; can be set anew at any time. */
  plan: (call: LayerCall) => CallFault | null = () => null
  readonly #files: FileLayer

  constructor(files: FileLayer = nodeFiles) {
    this.#files = files
  }

  async open(path: string, flags: string | number, mode?: number): Promise<LayerHandle> {
    const fault = this.plan({ name: 'open', path })
    if (fault?.when === 'before') throw systemError(fault.code, 'open')
    const inner = await this.#files.open(path, flags, mode)
    if (fault === null) return this.#handle(path, flags, inner)
    await inner.close()
    throw systemError(fault.code, 'open')
  }

  readFile(path: string): Promise<Buffer> {
    return this.#run({ name: 'readFile', path }, () => this.#files.readFile(path))
  }

  readlink(path: string): Promise<string> {
    return this.#run({ name: 'readlink', path }, () => this.#files.readlink(path))
  }

  mkdir(path: string, options: { readonly recursive: boolean }): Promise<unknown> {
    return this.#run({ name: 'mkdir', path }, () => this.#files.mkdir(path, options))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run({ name: 'rename', path: from }, () => this.#files.rename(from, to))
  }

  link(existing: string, path: string): Promise<void> {
    return this.#run({ name: 'link', path }, () => this.#files.link(existing, path))
  }

  clone(from: string, to: string): Promise<void> {
    return this.#run({ name: 'clone', path: to }, () => this.#files.clone(from, to))
  }

  unlink(path: string): Promise<void> {
    return this.#run({ name: 'unlink', path }, () => this.#files.unlink(path))
  }

  rmdir(path: string): Promise<void> {
    return this.#run({ name: 'rmdir', path }, () => this.#files.rmdir(path))
  }

  readdir(path: string): Promise<string[]> {
    return this.#run({ name: 'readdir', path }, () => this.#files.readdir(path))
  }

  stat(path: string): Promise<FileFacts> {
    return this.#run({ name: 'stat', path }, () => this.#files.stat(path))
  }

  access(path: string, mode: number): Promise<void> {
    return this.#run({ name: 'access', path }, () => this.#files.access(path, mode))
  }

  utimes(path: string, atime: Date, mtime: Date): Promise<void> {
    return this.#run({ name: 'utimes', path }, () => this.#files.utimes(path, atime, mtime))
  }

  #handle(path: string, flags: string | number, inner: LayerHandle): LayerHandle {
    return {
      read: (buffer, offset, length, position) =>
        this.#run({ name: 'read', path }, () => inner.read(buffer, offset, length, position)),
      writev: (buffers, position) => {
        const bytes = Buffer.concat(buffers)
        const write = { position, bytes, flags }
        return this.#run({ name: 'writev', path, write }, () => inner.writev(buffers, position))
      },
      truncate: (size) => this.#run({ name: 'truncate', path }, () => inner.truncate(size)),
      stat: () => this.#run({ name: 'stat', path }, () => inner.stat()),
      datasync: () => this.#run({ name: 'datasync', path }, () => inner.datasync()),
      sync: () => this.#run({ name: 'sync', path }, () => inner.sync()),
      close: async () => {
        // The descriptor is gone whatever the system says.
        const fault = this.plan({ name: 'close', path })
        await inner.close()
        if (fault !== null) throw systemError(fault.code, 'close')
      },
    }
  }

  async #run<T>(call: LayerCall, work: () => Promise<T>): Promise<T> {
    const fault = this.plan(call)
    if (fault?.when === 'before') throw systemError(fault.code, call.name)
    const result = await work()
    if (fault !== null) throw systemError(fault.code, call.name)
    return result
  }
}
