import type { Storage } from '../../../src/index.ts'
import type { Metrics } from './metrics.ts'
import { type CallListener, observeCall, observeCalls } from './observe-calls.ts'
import { outcomeOf } from './outcome.ts'

type ChunkWriter = Awaited<ReturnType<Storage['beginChunk']>>

/** The same storage, every call of which is measured: those on its writers and on its records of files too. */
export function observeStorage(storage: Storage, metrics: Metrics): Storage {
  const measured = (prefix: string): CallListener => {
    const names = new Map<string, string>()
    return (call, seconds, error) => {
      const outcome = outcomeOf(error)
      let name = names.get(call)
      if (name === undefined) names.set(call, (name = prefix + call))
      metrics.storageCall.record(seconds, name, outcome)
      if (name === 'assemble') metrics.completion.record(seconds, outcome)
    }
  }
  const ofWriter = measured('chunk.')
  return observeCalls(storage, measured(''), {
    files: observeCalls(storage.files, measured('files.')),
    beginChunk: async (...args) => observeWriter(await storage.beginChunk(...args), ofWriter),
  })
}

/** Only what ends a chunk: the writes on the way are many, and mostly wait for memory. */
function observeWriter(writer: ChunkWriter, listener: CallListener): ChunkWriter {
  return {
    write: (buffers) => writer.write(buffers),
    finish: (entry) => observeCall('finish', () => writer.finish(entry), listener),
    suspend: (tail) => observeCall('suspend', () => writer.suspend(tail), listener),
    abort: () => observeCall('abort', () => writer.abort(), listener),
  }
}
