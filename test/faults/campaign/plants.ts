import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Combination } from './combination.ts'

/** A defect that another server has, put into the compiled Holdfast at one place. */
export interface Plant {
  /** What goes wrong. */
  readonly defect: string
  /** Where it is seen. */
  readonly combination: Combination
  /** A module below `dist`. */
  readonly file: string
  readonly changes: readonly (readonly [from: string, to: string])[]
  /** The call that it takes for it to show, where that seldom fails however often it is repeated. */
  readonly often?: string
}

export const PLANTS: readonly Plant[] = [
  {
    defect: 'the offset is the sum of what is stored, gaps or not',
    combination: 'file/memory',
    file: 'src/ledger.js',
    changes: [['return runEnd + (this.#tail?.size ?? 0)', 'return this.durableBytes']],
  },
  {
    defect: 'a tail is deleted before what replaces it is stored',
    combination: 'S3/memory',
    file: 'src/storage/s3/tails.js',
    changes: [
      [
        'let stretch = before;',
        'for (const { key } of segments) await context.bucket.remove(key); let stretch = before;',
      ],
    ],
  },
  {
    defect: 'a failed CompleteMultipartUpload is taken for done',
    combination: 'S3/memory',
    file: 'src/storage/s3/assemble.js',
    often: 'CompleteMultipartUpload',
    changes: [['catch (error) {', 'catch (error) { if (!isInvalidPart(error)) return;']],
  },
  {
    defect: 'a length that is declared late is kept by nobody',
    combination: 'file/memory',
    file: 'src/operations/append.js',
    changes: [['await storage.record(id, change);', '']],
  },
  {
    defect: 'an end is known to nobody but storage',
    combination: 'S3/Redis',
    file: 'src/operations/expire.js',
    changes: [
      [
        'return await commit(context, upload, [change], lock);',
        'return { ...upload, status: change.status, endedAt: change.at };',
      ],
    ],
  },
  {
    defect: 'a sweep aborts multipart uploads that live',
    combination: 'S3/memory',
    file: 'src/storage/s3/leftovers.js',
    changes: [
      ['id === null || begun.begunAt >= before', 'id === null'],
      ['stored?.place.multipart?.uploadId === begun.uploadId', 'false'],
    ],
  },
  {
    defect: 'a sweep deletes finished files',
    combination: 'file/memory',
    file: 'src/operations/expire.js',
    changes: [['filesExpireAfterMs === null || ', '']],
  },
  {
    defect: 'a cancelled upload leaves its bytes',
    combination: 'file/memory',
    file: 'src/storage/file/removal.js',
    changes: [['await disk.remove(layout.data(id));', '']],
  },
  {
    defect: 'a lock that is not got in time is 500',
    combination: 'S3/Redis',
    file: 'src/errors.js',
    changes: [['UPLOAD_LOCKED: { status: 423', 'UPLOAD_LOCKED: { status: 500']],
  },
  {
    defect: 'Upload-Concat is 501',
    combination: 'file/memory',
    file: 'src/tus/create-final.js',
    changes: [
      [
        'const { headers } = request.raw;',
        'const { headers } = request.raw; return { status: 501, headers: {}, body: null };',
      ],
    ],
  },
  {
    defect: 'the twelfth download ends the process',
    combination: 'file/memory',
    file: 'src/operations/download.js',
    changes: [
      [
        'function downloadOf(context, file) {',
        'let downloads = 0; function downloadOf(context, file) { if (++downloads > 11) process.exit(7);',
      ],
    ],
  },
  {
    defect: 'a chunk is acknowledged before the journal has it',
    combination: 'file/memory',
    file: 'src/storage/file/chunk-writer.js',
    changes: [
      [
        'await this.#folder.journal.append(change, sync);',
        'void this.#folder.journal.append(change, sync).catch(() => {});',
      ],
    ],
  },
  {
    defect: 'a torn line swallows the next',
    combination: 'file/memory',
    file: 'src/storage/file/journal.js',
    changes: [['await handle.truncate(end)', 'this.#end = end + content.length / 2; await Promise.resolve()']],
  },
]

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** A server with a defect. */
export interface Planted {
  /** Its program. */
  readonly main: string
  remove(): Promise<void>
}

/** Makes a copy of the compiled server that has a defect. @throws Error where the place of it is not found */
export async function plant({ defect, file, changes }: Plant): Promise<Planted> {
  const cache = join(ROOT, '.cache')
  await mkdir(cache, { recursive: true })
  // In the project, so that it finds the packages it imports.
  const folder = await mkdtemp(join(cache, 'planted-'))
  await cp(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true })
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
  const path = join(folder, 'dist', file)
  let code = await readFile(path, 'utf8')
  for (const [from, to] of changes) {
    if (code.split(from).length !== 2) throw new Error(`There is not one place in ${file} for: ${defect}.`)
    code = code.replace(from, () => to)
  }
  await writeFile(path, code)
  return {
    main: join(folder, 'dist/adapters/standalone/start.cjs'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
