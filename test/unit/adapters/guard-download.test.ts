import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { guardDownload } from '../../../adapters/guard-download.ts'
import { sendReply } from '../../../adapters/node/send-reply.ts'
import { createUploads } from '../../../src/index.ts'
import { FileStorage } from '../../../src/storage/file/index.ts'

/** A stream without an end. */
function endless(): Readable {
  return new Readable({
    read() {
      this.push(Buffer.alloc(65_536))
    },
  })
}

/** Connects a client that asks at once, and reads nothing. */
async function visit(listener: RequestListener): Promise<Socket> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  onTestFinished(() => {
    socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  return socket
}

async function closed(body: Readable): Promise<void> {
  // Not `once` of node:events, which rejects when there is an error.
  if (!body.closed) await new Promise((resolve) => body.once('close', resolve))
}

test('a body is let go when its client goes in the middle of it', async () => {
  const body = endless()
  const socket = await visit((_request, response) => {
    guardDownload(body, response, 60_000)
    body.pipe(response)
  })
  await once(socket, 'readable')
  socket.destroy()
  await closed(body)
})

test('a body is let go when it is never sent, as something else has answered', async () => {
  const body = endless()
  await visit((_request, response) => {
    guardDownload(body, response, 60_000)
    response.end('something else')
  })
  await closed(body)
})

test('a body is let go when its client has gone before it was there', async () => {
  const body = endless()
  const failures: unknown[] = []
  const uploads = createUploads({ storage: new FileStorage({ directory: '/nowhere' }) })
  const late = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    await once(response, 'close')
    await sendReply(request, response, { status: 200, headers: {}, body }, uploads)
  }
  const socket = await visit((request, response) => {
    late(request, response).catch((error: unknown) => failures.push(error))
    socket.destroy()
  })
  await closed(body)
  await new Promise(setImmediate)
  expect(failures).toEqual([])
})

test('a body whose client takes nothing is let go, and its connection is cut', async () => {
  const body = endless()
  const begun = performance.now()
  const socket = await visit((_request, response) => {
    guardDownload(body, response, 300)
    body.pipe(response)
  })
  socket.pause()
  await closed(body)
  expect(performance.now() - begun).toBeGreaterThan(290)
})

test('an error of a body ends nothing but its response', async () => {
  const body = new Readable({ read() {} })
  await visit((_request, response) => {
    guardDownload(body, response, 60_000)
    body.destroy(new Error('the disk failed'))
    response.end()
  })
  await closed(body)
})
