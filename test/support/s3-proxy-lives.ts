import { expect } from 'vitest'
import { JsonLifeClient, type LifeClient, TusLifeClient } from './s3-proxy-clients.ts'
import { CHUNK, type S3Stage } from './s3-proxy-stage.ts'

/** What an upload may come to, from its beginning to its end. */
export interface S3Life {
  readonly title: string
  /** Whether a file is left in the end. */
  readonly leavesFile: boolean
  /**
   * Whether its creation makes the file, too: where that fails at the last, tus knows no way to tell the client of the upload.
   * It makes another.
   */
  readonly isMadeAnew?: true
  readonly live: (stage: S3Stage) => Promise<LifeClient>
}

const at = (chunks: number): number => Math.round(CHUNK * chunks)

/** Each on a stage of its own, on which a node stands. */
export const S3_LIVES: readonly S3Life[] = [
  {
    title: 'tus, one chunk with its creation',
    leavesFile: true,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, at(0.7))
      await tus.create(at(0.7))
      await tus.sendTo(at(0.7))
      await tus.finished()
      return tus
    },
  },
  {
    title: 'tus, appends that end inside chunks',
    leavesFile: true,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, at(2.5))
      await tus.create()
      await tus.sendTo(at(0.4))
      await tus.sendTo(at(1.3))
      await tus.sendTo(at(1.7))
      await stage.move()
      await tus.sendTo(at(2.2))
      await tus.sendTo(at(2.5))
      await tus.finished()
      return tus
    },
  },
  {
    title: 'tus, a length that comes later',
    leavesFile: true,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, at(2.5), { deferred: true })
      await tus.create()
      await tus.sendTo(at(1.4))
      await tus.sendTo(at(2.2), at(2.5))
      await tus.sendTo(at(2.5))
      await tus.finished()
      return tus
    },
  },
  {
    title: 'tus, a length that ends with what was sent',
    leavesFile: true,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, at(1.4), { deferred: true })
      await tus.create(at(0.3))
      await tus.sendTo(at(1.4))
      await stage.move()
      await tus.sendTo(at(1.4), at(1.4))
      await tus.finished()
      return tus
    },
  },
  {
    title: 'tus, then JSON in the middle of a chunk, then tus',
    leavesFile: true,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, at(2.5))
      const json = new JsonLifeClient(stage, at(2.5))
      await tus.create(at(0.4))
      await tus.sendTo(at(0.4))
      json.join(tus)
      await json.put(0)
      await json.put(2)
      await tus.locate()
      await tus.sendTo(at(1.6))
      await stage.move()
      await json.put(1)
      await json.complete()
      await tus.finished()
      return tus
    },
  },
  {
    title: 'tus, no byte',
    leavesFile: true,
    isMadeAnew: true,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, 0)
      await tus.create()
      await tus.finished()
      return tus
    },
  },
  {
    title: 'tus, no byte after all',
    leavesFile: true,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, 0, { deferred: true })
      await tus.create()
      await tus.sendTo(0, 0)
      await tus.finished()
      return tus
    },
  },
  {
    title: 'tus, ended in the middle',
    leavesFile: false,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, at(2.5))
      await tus.create()
      await tus.sendTo(at(1.3))
      await tus.remove()
      return tus
    },
  },
  {
    title: 'tus, downloaded and deleted',
    leavesFile: false,
    live: async (stage) => {
      const tus = new TusLifeClient(stage, at(1.5))
      await tus.create(at(1.5))
      await tus.sendTo(at(1.5))
      await tus.downloadRange(0, at(1.5))
      await stage.move()
      await tus.remove()
      return tus
    },
  },
  {
    title: 'JSON, chunks in parallel, a declared checksum',
    leavesFile: true,
    live: async (stage) => {
      const json = new JsonLifeClient(stage, at(2.5))
      await json.initiate({ checksum: true })
      await Promise.all([2, 0, 1].map((number) => json.put(number)))
      await json.complete()
      return json
    },
  },
  {
    title: 'JSON, resumed, a chunk sent again',
    leavesFile: true,
    live: async (stage) => {
      const json = new JsonLifeClient(stage, at(2.5))
      await json.initiate({ once: true })
      await json.put(2)
      await stage.move()
      expect(await json.resume()).toEqual([0, 1])
      await json.put(0)
      await json.put(2)
      await json.put(1)
      await json.complete()
      return json
    },
  },
  {
    title: 'JSON, cancelled in the middle',
    leavesFile: false,
    live: async (stage) => {
      const json = new JsonLifeClient(stage, at(2.5))
      await json.initiate()
      await json.put(1)
      await stage.move()
      await json.put(0)
      await json.cancel()
      return json
    },
  },
  {
    title: 'JSON, one chunk, downloaded and deleted',
    leavesFile: false,
    live: async (stage) => {
      const json = new JsonLifeClient(stage, at(0.9))
      await json.initiate()
      await json.put(0)
      await json.complete()
      await stage.move()
      await json.downloadRange(100, at(0.5))
      await json.removeFile()
      return json
    },
  },
  {
    title: 'JSON, downloaded in ranges by another node',
    leavesFile: true,
    live: async (stage) => {
      const json = new JsonLifeClient(stage, at(1.5))
      await json.initiate()
      await json.put(0)
      await json.put(1)
      await json.complete()
      await stage.move()
      await json.downloadRange(at(0.5), at(1.2))
      await json.downloadRange(0, at(1.5))
      return json
    },
  },
]
