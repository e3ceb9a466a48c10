import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConnectionLost, Wire } from '../support/http-wire.ts'
import { listen } from '../support/listen.ts'
import { faultName, faultsOf } from '../support/s3-proxy-fault.ts'
import { readS3Request } from '../support/s3-proxy-request.ts'
import { S3Proxy } from '../support/s3-proxy.ts'

const ANSWER = '<ListBucketResult><Name>bucket</Name></ListBucketResult>'

async function proxyTo(target: string): Promise<S3Proxy> {
  const proxy = await S3Proxy.start(target)
  onTestFinished(() => proxy.stop())
  return proxy
}

/** Reads what comes until it ends with these bytes. */
async function readTo(socket: Socket, end: string): Promise<string> {
  let text = ''
  while (!text.endsWith(end)) {
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    text += bytes.toString('latin1')
  }
  return text
}

describe('the proxy between server and S3', () => {
  it.each([
    ['PUT /b/k%20%2F%C3%BC?partNumber=1&uploadId=2~x HTTP/1.1', 'content-length: 5', 'hello'],
    ['POST /b/k?uploads HTTP/1.1', 'content-length: 0', ''],
    ['DELETE /b/k?x-id=DeleteObject HTTP/1.1', 'X-UPPER: a, b', ''],
    ['GET /b/?list-type=2&prefix=a%2Fb HTTP/1.1', 'x-amz-date: 20260101T000000Z', ''],
  ])('sends on %s byte for byte', async (line, header, body) => {
    const request = `${line}\r\nhost: s3.example:80\r\n${header}\r\nauthorization: AWS4 a/b, c\r\nConnection: keep-alive\r\n\r\n${body}`
    const answer =
      'HTTP/1.1 200 Fine\r\nX-amz-ID: 1\r\nDate: now\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc'
    const received: Promise<string>[] = []
    const server = createServer((socket) => {
      received.push(readTo(socket, request.slice(-4)))
      void received[0]?.then(() => socket.write(answer))
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const proxy = await proxyTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)

    const client = connect(Number(new URL(proxy.url).port), '127.0.0.1')
    client.write(request)
    expect(await readTo(client, 'abc')).toBe(answer)
    expect(await received[0]).toBe(request)
    client.destroy()
  })

  const faults = ['CompleteMultipartUpload', 'GetObject'].flatMap((name) => faultsOf({ name }))
  const distinct = new Map(faults.map((fault) => [faultName(fault), fault]))
  it.each([...distinct])('makes a request fail: %s', async (_, fault) => {
    let heard = 0
    const server = await listen((request, response) => {
      request.resume().once('end', () => {
        heard += 1
        response.end(ANSWER)
      })
    })
    const proxy = await proxyTo(server)
    const wire = new Wire(proxy.url)
    onTestFinished(() => wire.close())
    const target = '/b/k?uploadId=1'
    proxy.plan = ({ name }) => (name === 'CompleteMultipartUpload' ? fault : null)

    const failing = wire.send('POST', target, { body: Buffer.alloc(100_000) })
    failing.catch(() => {})
    if (fault.how === 'stall' || fault.how === 'hang') {
      // Another is answered long since.
      await expect.poll(() => heard).toBe(1)
      expect((await wire.send('GET', '/b?list-type=2')).body.toString()).toBe(ANSWER)
      expect(await Promise.race([failing, Promise.resolve('nothing')])).toBe('nothing')
      return
    }
    if (['reset', 'late', 'forget', 'cut'].includes(fault.how)) await expect(failing).rejects.toThrow(ConnectionLost)
    else {
      const { status, body } = await failing
      expect(status).toBe(Number(fault.how))
      expect(body.toString()).toContain(`<Code>${fault.how === '503' ? 'SlowDown' : 'InternalError'}</Code>`)
    }
    expect(heard).toBe(fault.when === 'before' ? 0 : 1)
    await proxy.settled()
    expect(heard).toBe(fault.when === 'before' && fault.how !== 'late' ? 0 : 1)
    proxy.plan = () => null
    const { status, body } = await wire.send('POST', target, { body: Buffer.alloc(0) })
    expect(status).toBe(fault.how === 'forget' ? 404 : 200)
    expect(body.toString()).toContain(fault.how === 'forget' ? '<Code>NoSuchUpload</Code>' : ANSWER)
  })

  it.each([
    ['HEAD', '/b', 'HeadBucket', ''],
    ['HEAD', '/b/a/b', 'HeadObject', 'a/b'],
    ['GET', '/b/a%2Fb?x-id=GetObject', 'GetObject', 'a/b'],
    ['GET', '/b/k?uploadId=1', 'ListParts', 'k'],
    ['GET', '/b/?list-type=2&prefix=p%2F', 'ListObjectsV2', 'p/'],
    ['GET', '/b?uploads&prefix=p', 'ListMultipartUploads', 'p'],
    ['PUT', '/b/k?x-id=PutObject', 'PutObject', 'k'],
    ['PUT', '/b/k?partNumber=1&uploadId=1&x-id=UploadPart', 'UploadPart', 'k'],
    ['POST', '/b/k?uploads', 'CreateMultipartUpload', 'k'],
    ['POST', '/b/k?uploadId=1', 'CompleteMultipartUpload', 'k'],
    ['DELETE', '/b/k?x-id=DeleteObject', 'DeleteObject', 'k'],
    ['DELETE', '/b/k?uploadId=1', 'AbortMultipartUpload', 'k'],
  ])('knows %s %s as %s', (method, target, name, key) => {
    expect(readS3Request(method, target)).toEqual({ name, key })
  })
})
