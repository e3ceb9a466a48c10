import { constants } from 'node:fs'
import { type FileFacts, type FileLayer, type LayerHandle, nodeFiles } from '../../src/storage/file/file-layer.ts'

/** An error as the operating system throws it. */
export function systemError(code: string, syscall = 'test'): Error {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall })
}

/** One call that is about to be made. */
export interface Operation {
  readonly name: keyof FileLayer | Exclude<keyof LayerHandle, 'stat'>
  readonly path: string
}

/** Says what goes wrong with a call: an error, or how many bytes a write takes at most. */
export type Fault = (operation: Operation) => Error | number | undefined

/** Another layer, with errors and short writes as a test asks for them, and a count of what is open. */
export class FaultyFiles implements FileLayer {
  /** What goes wrong; can be set anew at any time. */
  fault: Fault = () => undefined
  /** Every call so far. */
  readonly operations: Operation[] = []
  readonly #open: string[] = []
  readonly #inner: FileLayer

  constructor(inner: FileLayer = nodeFiles) {
    this.#inner = inner
  }

  /** From now on `count` calls succeed, and all after them fail: the machine has stopped. */
  stopAfter(count: number): void {
    let left = count
    this.fault = () => {
      left -= 1
      return left < 0 ? systemError('EIO', 'stopped') : undefined
    }
  }

  /** How often a call was made on paths that end so. */
  count(name: Operation['name'], ending = ''): number {
    return this.operations.filter((operation) => operation.name === name && operation.path.endsWith(ending)).length
  }

  /** Handles that are open. */
  get openHandles(): number {
    return this.#open.length
  }

  /** The same without journals: the last few of them stay open for a moment. */
  get openBesidesJournals(): number {
    return this.#open.filter((path) => !path.endsWith('/journal')).length
  }

  async open(path: string, flags: string | number): Promise<LayerHandle> {
    this.#check('open', path)
    const inner = await this.#inner.open(path, flags)
    this.#open.push(path)
    return {
      read: async (buffer, offset, length, position) => {
        this.#check('read', path)
        return await inner.read(buffer, offset, length, position)
      },
      writev: async (buffers, position) => {
        const most = this.#check('writev', path)
        if (most === undefined) return await inner.writev(buffers, position)
        return await inner.writev([Buffer.concat(buffers).subarray(0, most)], position)
      },
      truncate: async (size) => {
        this.#check('truncate', path)
        await inner.truncate(size)
      },
      stat: () => inner.stat(),
      datasync: async () => {
        this.#check('datasync', path)
        await inner.datasync()
      },
      sync: async () => {
        this.#check('sync', path)
        await inner.sync()
      },
      close: async () => {
        this.#open.splice(this.#open.indexOf(path), 1)
        await inner.close()
        this.#check('close', path)
      },
    }
  }

  readFile(path: string): Promise<Buffer> {
    return this.#pass('readFile', path, () => this.#inner.readFile(path))
  }

  readlink(path: string): Promise<string> {
    return this.#pass('readlink', path, () => this.#inner.readlink(path))
  }

  mkdir(path: string, options: { readonly recursive: boolean }): Promise<unknown> {
    return this.#pass('mkdir', path, () => this.#inner.mkdir(path, options))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#pass('rename', from, () => this.#inner.rename(from, to))
  }

  link(existing: string, path: string): Promise<void> {
    return this.#pass('link', path, () => this.#inner.link(existing, path))
  }

  clone(from: string, to: string): Promise<void> {
    return this.#pass('clone', to, () => this.#inner.clone(from, to))
  }

  unlink(path: string): Promise<void> {
    return this.#pass('unlink', path, () => this.#inner.unlink(path))
  }

  rmdir(path: string): Promise<void> {
    return this.#pass('rmdir', path, () => this.#inner.rmdir(path))
  }

  readdir(path: string): Promise<string[]> {
    return this.#pass('readdir', path, () => this.#inner.readdir(path))
  }

  stat(path: string): Promise<FileFacts> {
    return this.#pass('stat', path, () => this.#inner.stat(path))
  }

  access(path: string, mode: number): Promise<void> {
    return this.#pass('access', path, () => this.#inner.access(path, mode))
  }

  utimes(path: string, atime: Date, mtime: Date): Promise<void> {
    return this.#pass('utimes', path, () => this.#inner.utimes(path, atime, mtime))
  }

  async #pass<T>(name: Operation['name'], path: string, call: () => Promise<T>): Promise<T> {
    this.#check(name, path)
    return await call()
  }

  #check(name: Operation['name'], path: string): number | undefined {
    this.operations.push({ name, path })
    const fault = this.fault({ name, path })
    if (fault instanceof Error) throw fault
    return fault
  }
}

interface FileNode {
  readonly kind: 'file'
  content: Buffer
  synced: Buffer
  mtimeMs: number
}

interface FolderNode {
  readonly kind: 'folder'
  entries: Map<string, Node>
  synced: Map<string, Node>
  mtimeMs: number
}

type Node = FileNode | FolderNode

/** Bytes that a disk writes as one. Small, so that small files are torn in many ways. */
const SECTOR = 32

/**
 * Files in memory that know what was synced: a file's bytes by a sync of the file, its name by a sync of its folder.
 * {@link MemoryFiles.powerCut} gives what a power cut leaves.
 */
export class MemoryFiles implements FileLayer {
  /** The machine's boot id. */
  readonly boot: string
  readonly #root: FolderNode
  /** When this process began: every {@link MemoryFiles.kill} begins another. */
  readonly #startTime: number

  constructor(boot = 'boot-1', root: FolderNode = newFolder(), startTime = 1) {
    this.boot = boot
    this.#root = root
    this.#startTime = startTime
  }

  /**
   * What is left after a power cut and another boot. Of what was not synced in a file each sector is kept where `keep`
   * says so. Names that were not synced are gone, or all kept where `names` says so: file systems write them in order.
   */
  powerCut(keep: () => boolean = () => false, names = false): MemoryFiles {
    const seen = new Map<Node, Node>()
    const survive = (node: Node): Node => {
      const known = seen.get(node)
      if (known !== undefined) return known
      if (node.kind === 'file') {
        const content = mixed(node, keep)
        const file: FileNode = { kind: 'file', content, synced: Buffer.from(content), mtimeMs: node.mtimeMs }
        seen.set(node, file)
        return file
      }
      const entries = new Map([...(names ? node.entries : node.synced)].map(([name, child]) => [name, survive(child)]))
      const folder: FolderNode = { kind: 'folder', entries, synced: new Map(entries), mtimeMs: node.mtimeMs }
      seen.set(node, folder)
      return folder
    }
    const root = survive(this.#root)
    if (root.kind !== 'folder') throw new Error('The root is a folder.')
    return new MemoryFiles(`${this.boot}+`, root)
  }

  /** The same files after a kill of the process: nothing is lost, and the boot is the same. */
  kill(): MemoryFiles {
    return new MemoryFiles(this.boot, this.#root, this.#startTime + 1)
  }

  async open(path: string, flags: string | number): Promise<LayerHandle> {
    const create = flags === 'w' || (typeof flags === 'number' && (flags & constants.O_CREAT) !== 0)
    const { folder, name } = this.#parent(path)
    let node = name === '' ? folder : folder.entries.get(name)
    if (node === undefined) {
      if (!create) throw systemError('ENOENT', 'open')
      node = { kind: 'file', content: Buffer.alloc(0), synced: Buffer.alloc(0), mtimeMs: Date.now() }
      folder.entries.set(name, node)
    }
    if (node.kind === 'file' && flags === 'w') node.content = Buffer.alloc(0)
    return node.kind === 'file' ? fileHandle(node) : folderHandle(node)
  }

  async readFile(path: string): Promise<Buffer> {
    if (path === '/proc/sys/kernel/random/boot_id') return Buffer.from(`${this.boot}\n`)
    if (path === `/proc/${process.pid}/stat`) {
      return Buffer.from(`${process.pid} (a) b) S ${'0 '.repeat(18)}${this.#startTime} 0`)
    }
    return Buffer.from(this.#file(path).content)
  }

  async readlink(path: string): Promise<string> {
    return await nodeFiles.readlink(path)
  }

  async mkdir(path: string, options: { readonly recursive: boolean }): Promise<unknown> {
    let folder = this.#root
    const names = parts(path)
    for (const [index, name] of names.entries()) {
      const child = folder.entries.get(name)
      const last = index === names.length - 1
      if (child?.kind === 'file' || (last && child !== undefined && !options.recursive)) throw systemError('EEXIST')
      if (child === undefined && !last && !options.recursive) throw systemError('ENOENT')
      const next = child ?? newFolder()
      folder.entries.set(name, next)
      // The folders that the storage is given, and makes before anything is acknowledged, count as durable.
      if (options.recursive) folder.synced.set(name, next)
      folder = next
    }
    return undefined
  }

  async rename(from: string, to: string): Promise<void> {
    const source = this.#parent(from)
    const target = this.#parent(to)
    const node = this.#node(from)
    const standing = target.folder.entries.get(target.name)
    if (standing?.kind === 'folder' && standing.entries.size > 0) throw systemError('ENOTEMPTY', 'rename')
    source.folder.entries.delete(source.name)
    target.folder.entries.set(target.name, node)
  }

  async link(existing: string, path: string): Promise<void> {
    const { folder, name } = this.#parent(path)
    if (folder.entries.has(name)) throw systemError('EEXIST', 'link')
    folder.entries.set(name, this.#file(existing))
  }

  async clone(from: string, to: string): Promise<void> {
    const { content } = this.#file(from)
    const { folder, name } = this.#parent(to)
    if (folder.entries.has(name)) throw systemError('EEXIST', 'copyfile')
    const copy = Buffer.from(content)
    folder.entries.set(name, { kind: 'file', content: copy, synced: Buffer.alloc(0), mtimeMs: Date.now() })
  }

  async unlink(path: string): Promise<void> {
    this.#file(path)
    const { folder, name } = this.#parent(path)
    folder.entries.delete(name)
  }

  async rmdir(path: string): Promise<void> {
    const node = this.#node(path)
    if (node.kind === 'folder' && node.entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir')
    const { folder, name } = this.#parent(path)
    folder.entries.delete(name)
  }

  async readdir(path: string): Promise<string[]> {
    const node = this.#node(path)
    if (node.kind === 'file') throw systemError('ENOTDIR', 'readdir')
    return [...node.entries.keys()]
  }

  async stat(path: string): Promise<FileFacts> {
    const node = this.#node(path)
    return { size: node.kind === 'file' ? node.content.length : 0, dev: 1, mtimeMs: node.mtimeMs }
  }

  async access(path: string): Promise<void> {
    this.#node(path)
  }

  async utimes(path: string, _atime: Date, mtime: Date): Promise<void> {
    this.#node(path).mtimeMs = mtime.getTime()
  }

  #parent(path: string): { readonly folder: FolderNode; readonly name: string } {
    const names = parts(path)
    const name = names.pop() ?? ''
    let folder = this.#root
    for (const part of names) {
      const next = folder.entries.get(part)
      if (next?.kind !== 'folder') throw systemError('ENOENT')
      folder = next
    }
    return { folder, name }
  }

  #node(path: string): Node {
    const { folder, name } = this.#parent(path)
    const node = name === '' ? folder : folder.entries.get(name)
    if (node === undefined) throw systemError('ENOENT')
    return node
  }

  #file(path: string): FileNode {
    const node = this.#node(path)
    if (node.kind === 'folder') throw systemError('EISDIR')
    return node
  }
}

function newFolder(): FolderNode {
  return { kind: 'folder', entries: new Map(), synced: new Map(), mtimeMs: Date.now() }
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}

function mixed(file: FileNode, keep: () => boolean): Buffer {
  if (file.content.equals(file.synced)) return Buffer.from(file.content)
  const result = Buffer.alloc(keep() ? file.content.length : file.synced.length)
  for (let at = 0; at < result.length; at += SECTOR) {
    const from = keep() ? file.content : file.synced
    from.subarray(at, at + SECTOR).copy(result, at)
  }
  return result
}

function fileHandle(file: FileNode): LayerHandle {
  const sync = async () => {
    file.synced = Buffer.from(file.content)
  }
  return {
    read: async (buffer, offset, length, position) => ({
      bytesRead: file.content.subarray(position, position + length).copy(buffer, offset),
    }),
    writev: async (buffers, position) => {
      const bytes = Buffer.concat(buffers)
      const size = Math.max(file.content.length, position + bytes.length)
      const content = Buffer.alloc(size)
      file.content.copy(content)
      bytes.copy(content, position)
      file.content = content
      return { bytesWritten: bytes.length }
    },
    truncate: async (size) => {
      file.content = Buffer.from(file.content.subarray(0, size))
    },
    stat: async () => ({ size: file.content.length }),
    datasync: sync,
    sync,
    close: async () => {},
  }
}

function folderHandle(folder: FolderNode): LayerHandle {
  const refuse = async () => {
    throw systemError('EISDIR')
  }
  return {
    read: refuse,
    writev: refuse,
    truncate: refuse,
    stat: async () => ({ size: 0 }),
    datasync: refuse,
    sync: async () => {
      folder.synced = new Map(folder.entries)
    },
    close: async () => {},
  }
}
