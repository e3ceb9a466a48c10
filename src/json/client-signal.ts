import type { IncomingMessage } from 'node:http'

/** Does work with a signal that aborts when the client's connection closes before the work is done. */
export async function withClientSignal<T>(raw: IncomingMessage, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const onClose = (): void => controller.abort()
  // The connection's own event: the request's `close` comes as soon as its body has been read.
  const { socket } = raw
  if (socket.destroyed) onClose()
  socket.once('close', onClose)
  try {
    return await work(controller.signal)
  } finally {
    socket.off('close', onClose)
  }
}
