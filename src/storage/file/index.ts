/**
 * Storage in a directory of this machine.
 *
 * @module
 */
export type { Fsync } from './disk.ts'
export type { FileFacts, FileLayer, LayerHandle } from './file-layer.ts'
export { FileStorage, type FileStorageOptions } from './file-storage.ts'
export { inspectUpload, type FileOnDisk, type Inspection, type JournalOnDisk } from './inspect.ts'
export type { OwnerFacts } from './owner-facts.ts'
