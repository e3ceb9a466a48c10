import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { drainBeforeAnswer, drainBesideAnswer } from '../../../adapters/drain-body.ts'

const MIB = 1024 * 1024

/** Sends a POST with a body to a handler that reads none of it, and reads nothing before all is sent. */
async function sendBlindly(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  { bytes, said = bytes, head = '' }: { readonly bytes: number; readonly said?: number; readonly head?: string },
): Promise<{ readonly socket: Socket; readonly answer: Promise<string> }> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
  onTestFinished(() => {
    socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  socket.on('error', () => {})
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${said}\r\n${head}\r\n`)
  const sent = new Promise((resolve) => socket.write(Buffer.alloc(bytes), resolve))
  const answer = sent.then(async () => {
    const [data] = (await once(socket.resume(), 'data')) as [Buffer]
    return data.toString()
  })
  return { socket, answer }
}

describe('drainBesideAnswer', () => {
  test('lets a client that is still sending read its answer', async () => {
    const { answer } = await sendBlindly(
      (request, response) => {
        drainBesideAnswer(request, response)
        response.writeHead(404).end()
      },
      { bytes: 20 * MIB },
    )
    await expect(answer).resolves.toMatch(/^HTTP\/1\.1 404/)
  })

  test.each([
    ['goes on for too long', { ms: 50, bytes: MIB }, { bytes: 10, said: MIB }],
    ['is too long', { ms: 60_000, bytes: MIB }, { bytes: 20 * MIB, said: 30 * MIB }],
  ])('closes the connection when the rest %s', async (_what, bounds, body) => {
    const { socket, answer } = await sendBlindly((request, response) => {
      drainBesideAnswer(request, response, bounds)
      response.writeHead(404).end()
    }, body)
    answer.catch(() => {})
    // Not `once`, which takes the reset for a failure.
    await new Promise((resolve) => socket.resume().once('close', resolve))
  })

  test('leaves a body alone that has been read', async () => {
    const { answer } = await sendBlindly(
      (request, response) => {
        request.resume().once('end', () => {
          drainBesideAnswer(request, response, { ms: 1, bytes: 1 })
          setTimeout(() => response.end('done'), 50)
        })
      },
      { bytes: 1000 },
    )
    await expect(answer).resolves.toContain('done')
  })
})

describe('drainBeforeAnswer', () => {
  test('lets a client read its answer where the connection closes with it', async () => {
    const { answer } = await sendBlindly(
      (request, response) => {
        void drainBeforeAnswer(request, false).then(() => response.writeHead(404).end())
      },
      { bytes: 20 * MIB, head: 'Connection: close\r\n' },
    )
    await expect(answer).resolves.toMatch(/^HTTP\/1\.1 404/)
  })

  test('waits no longer than a second while the server shuts down', async () => {
    const begun = performance.now()
    const { answer } = await sendBlindly(
      (request, response) => {
        void drainBeforeAnswer(request, true).then(() => response.writeHead(503).end())
      },
      { bytes: 10, said: MIB },
    )
    await expect(answer).resolves.toMatch(/^HTTP\/1\.1 503/)
    expect(performance.now() - begun).toBeGreaterThan(900)
  })

  test('does not wait for a body that is not there', async () => {
    const server = createServer((request, response) => {
      void drainBeforeAnswer(request, false).then(() => response.end('done'))
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const answer = fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`).then((reply) => reply.text())
    await expect(Promise.race([answer, delay(5000)])).resolves.toBe('done')
  })
})
