import { connect } from 'node:net'

/** A server that says nothing for so long says nothing at all, ms: the request was never whole. */
const SILENCE_MS = 1500

/** Sends bytes over a connection of their own, and reads what comes until it ends, or for `silenceMs` does not go on. */
export function sendRaw(port: number, bytes: Buffer, silenceMs = SILENCE_MS): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (piece) => pieces.push(piece))
    socket.setTimeout(silenceMs, () => socket.destroy())
    // A reset is an end as any other.
    socket.on('error', () => {})
    socket.once('close', () => resolve(Buffer.concat(pieces).toString('latin1')))
  })
}

/** Does work on all, so many at a time. */
export async function inTurns<T>(
  all: readonly T[],
  atATime: number,
  work: (one: T, index: number) => Promise<void>,
): Promise<void> {
  const entries = all.entries()
  // One iterator for all workers: each takes the next.
  const worker = async (): Promise<void> => {
    for (const [index, one] of entries) await work(one, index)
  }
  await Promise.all(Array.from({ length: atATime }, worker))
}
