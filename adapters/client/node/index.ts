/**
 * What the client needs of Node: files that are read chunk by chunk, and a folder in which uploads are remembered.
 * @module
 */
export { openFile, type OpenedFile } from './open-file.ts'
export { folderStorage } from './folder-storage.ts'
