import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { Upload } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { holdfast } from '../../adapters/node/index.ts'
import { createUploads } from '../../src/index.ts'
import { FileStorage } from '../../src/storage/file/index.ts'
import { describeWithRedis, redisService } from '../support/services/redis.ts'
import { describeWithS3, newBucket, s3Service } from '../support/services/s3.ts'
import {
  compileSnippets,
  freePort,
  installSnippets,
  readDocuments,
  readProjectFile,
  readSnippets,
  runShell,
  runSnippet,
  type RunningSnippet,
  type Snippet,
  type SnippetServices,
} from '../support/snippets.ts'
import { makeTempDir, tempDir } from '../support/temp-dir.ts'

const documents = await Promise.all(
  [...(await readDocuments()), 'test/integration/snippets/contract.md'].map(async (name) => {
    const text = await readProjectFile(name)
    const commands = readSnippets(name, text, ['sh']).filter(({ code }) => code.includes('curl'))
    return { name, snippets: readSnippets(name, text, ['js', 'ts']), commands }
  }),
)

/** All of them are compiled at once. */
let directory: string

beforeAll(async () => {
  directory = await makeTempDir()
  await installSnippets(
    directory,
    documents.flatMap(({ snippets }) => snippets),
  )
})

afterAll(() => rm(directory, { recursive: true, force: true }))

it('the code in all documents compiles', async () => {
  expect(documents.filter(({ snippets }) => snippets.length > 0).length).toBeGreaterThan(3)
  await expect(compileSnippets(directory)).resolves.toBe('')
})

const withCode = documents.filter(
  ({ snippets, commands }) => commands.length > 0 || snippets.some(({ checkOnly }) => !checkOnly),
)

describe.each(withCode)('$name', ({ snippets, commands }) => {
  const runnable = snippets.filter(({ checkOnly }) => !checkOnly)
  const allServers = runnable.filter(({ code }) => code.includes('listen('))
  const servers = allServers.filter(({ code }) => !code.includes("from 'ioredis'"))
  const clustered = allServers.filter((server) => !servers.includes(server))
  const clients = runnable.filter(({ code }) => !code.includes('listen('))

  /** Runs a server, uploads to it, has its files checked, and ends it. */
  async function useServer(snippet: Snippet, files: () => Promise<string[]>, services?: SnippetServices) {
    await rm(join(directory, 'data'), { recursive: true, force: true })
    const port = await freePort()
    const running = await runSnippet(directory, snippet, port, services)
    await listening(port, running)

    await uploadHello(`http://127.0.0.1:${port}/files`)
    await expect(files()).resolves.toEqual(['hello'])
    running.child.kill('SIGTERM')
    await expect(running.ended()).resolves.toBe(snippet.code.includes('SIGTERM') ? 0 : null)
    const inserted = snippet.code.includes('db.files.insert') ? 'inserted hello.txt of ann\n' : ''
    expect(running.output()).toContain(inserted)
  }

  it.each(servers)('serves uploads by the code of line $line', async (snippet) => {
    await useServer(snippet, () => finishedFiles(join(directory, 'data')))
  })

  if (clustered.length > 0) {
    describeWithRedis('with Redis,', () => {
      describeWithS3('with S3,', () => {
        it.each(clustered)('serves uploads by the code of line $line', async (snippet) => {
          const bucket = await newBucket()
          const inBucket = snippet.code.includes("from 'holdfast/s3'")
          const files = inBucket ? () => objectsOf(bucket, 'ann/') : () => stockFiles(join(directory, 'data'))
          await useServer(snippet, files, sharedServices(bucket))
        })
      })
    })
  }

  it.each(clients)('uploads by the code of line $line', async (snippet) => {
    const server = await serve()
    const running = await runSnippet(directory, snippet, server.port)
    expect(await running.ended(), running.output()).toBe(0)
    await expect(finishedFiles(server.directory)).resolves.toEqual(['hello'])
  })

  it.each(commands)('uploads by the commands of line $line', async (snippet) => {
    const server = await serve()
    const cwd = await tempDir()
    const bytes = randomBytes(11 * 1024 * 1024 + 1)
    await writeFile(join(cwd, 'big.iso'), bytes)
    const running = runShell(cwd, snippet, server.port)
    expect(await running.ended(), running.output()).toBe(0)
    expect(running.output()).toContain(`"checksum":"${createHash('sha256').update(bytes).digest('hex')}"`)
  })
})

/** A server for the code of clients. */
async function serve(): Promise<{ readonly port: number; readonly directory: string }> {
  const directory = await tempDir()
  const uploads = createUploads({ storage: new FileStorage({ directory }) })
  await uploads.open()
  const server = createServer(holdfast({ uploads })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    await uploads.close()
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, directory }
}

/** Resolves when somebody listens. */
async function listening(port: number, running: RunningSnippet): Promise<void> {
  for (;;) {
    if (running.child.exitCode !== null) throw new Error(`it ended before it listened:\n${running.output()}`)
    const socket = connect(port, '127.0.0.1')
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (connected) return
    await delay(20)
  }
}

function uploadHello(endpoint: string): Promise<void> {
  return new Promise((resolve, reject) => {
    new Upload(Buffer.from('hello'), {
      endpoint,
      headers: { Authorization: 'Bearer ann' },
      metadata: { filename: 'hello.txt' },
      retryDelays: [],
      onSuccess: () => resolve(),
      onError: reject,
    }).start()
  })
}

/** The services of the run in the place of those that documentation names. */
function sharedServices(bucket: string): SnippetServices {
  const { endpoint, credentials } = s3Service()
  return {
    names: { 'redis://127.0.0.1:6379': redisService().url, acme: bucket },
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
  }
}

/** Contents of the objects of a bucket whose keys begin with `prefix`. */
async function objectsOf(bucket: string, prefix: string): Promise<string[]> {
  const client = new S3Client(s3Service())
  onTestFinished(() => client.destroy())
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))
  return Promise.all(
    Contents.map(async ({ Key }) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
      return Body?.transformToString() ?? ''
    }),
  )
}

/** Contents of the files of a stock FileStore. */
async function stockFiles(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => !name.endsWith('.json'))
  return Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
}

/** Contents of the finished files. */
async function finishedFiles(directory: string): Promise<string[]> {
  const folder = join(directory, 'files')
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f-]{36}$/.test(name))
  return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
}
