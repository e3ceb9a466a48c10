import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'

/**
 * Ties the stream of a file to the response it is for, before anything else is done with the two: however the response
 * ends, also one whose client has gone already or that a hook answers otherwise, the file is closed. A client that takes
 * no byte for `idleMs` is cut, and can go on with a Range: otherwise it would hold connection and file for ever.
 */
export function guardDownload(body: Readable, response: ServerResponse, idleMs: number): void {
  const letGo = (): void => {
    body.destroy()
  }
  // Its error is told to whoever sends it. Until somebody does, it must not end the process.
  body.on('error', () => {})
  if (response.destroyed || response.closed) return letGo()
  response.once('close', letGo)
  // The socket's own clock, which sees every byte that the system takes. (Responses of tests by injection have no socket.)
  if (response.socket instanceof Socket) response.setTimeout(idleMs, () => response.destroy())
}
