import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { JsonClient } from './json-client.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'
import { newBucket, s3Service } from './services/s3.ts'
import { makeTempDir } from './temp-dir.ts'
import { TusClient } from './tus-client.ts'
import { rm } from 'node:fs/promises'

/** The variables by which nodes share a Redis and a bucket. */
export function sharedVariables(redisUrl: string, bucket: string): Record<string, string> {
  const { endpoint, region, credentials } = s3Service()
  return {
    REDIS_URL: redisUrl,
    STORAGE: 's3',
    S3_BUCKET: bucket,
    S3_ENDPOINT: endpoint,
    S3_FORCE_PATH_STYLE: 'on',
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
}

/** Clients of every node, which check what they are answered. */
export function facesOf({ urls }: Cluster): readonly { readonly tus: TusClient; readonly json: JsonClient }[] {
  return urls.map((url) => ({ tus: new TusClient(url), json: new JsonClient(url) }))
}

/** Real servers on one Redis and one bucket of their own. Any of them may be killed, stopped and started at any time. */
export class Cluster {
  readonly bucket: string
  readonly #variables: Readonly<Record<string, string>>
  readonly #directory: string
  readonly #nodes: (ServerProcess | null)[] = []
  /** What nodes said that have ended. */
  #past = ''

  private constructor(bucket: string, variables: Readonly<Record<string, string>>, directory: string) {
    this.bucket = bucket
    this.#variables = variables
    this.#directory = directory
  }

  /** Starts `count` nodes in a new bucket. */
  static async start(count: number, redisUrl: string, variables: Readonly<Record<string, string>> = {}) {
    const bucket = await newBucket()
    const shared = { ...sharedVariables(redisUrl, bucket), ...variables }
    const cluster = new Cluster(bucket, shared, await makeTempDir())
    await Promise.all(Array.from({ length: count }, (_, at) => cluster.begin(at)))
    return cluster
  }

  /** Addresses of the nodes that are there. */
  get urls(): readonly string[] {
    return this.#nodes.flatMap((node) => (node === null ? [] : [node.url]))
  }

  /** What the nodes have said. */
  output(): string {
    return this.#past + this.#nodes.map((node) => node?.output() ?? '').join('\n')
  }

  /** Whether node `at` is there. */
  has(at: number): boolean {
    return this.#nodes[at] != null
  }

  node(at: number): ServerProcess {
    const node = this.#nodes[at]
    if (node == null) throw new Error(`Node ${at} is not there.`)
    return node
  }

  /** Starts node `at`, where it is not there. */
  async begin(at: number): Promise<void> {
    this.#nodes[at] ??= await startServerProcess(this.#directory, { ...this.#variables, PORT: '0' })
  }

  /** Ends node `at`; no request goes to it from now on. */
  async end(at: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const node = this.node(at)
    this.#nodes[at] = null
    const code = await node.kill(signal)
    this.#past += `${node.output()}\n`
    return code
  }

  /** The keys of objects and of multipart uploads in the bucket in which `text` stands. */
  async keys(text: string): Promise<string[]> {
    const client = new S3Client(s3Service())
    const Bucket = this.bucket
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
    client.destroy()
    return [...Contents, ...Uploads].flatMap(({ Key = '' }) => (Key.includes(text) ? [Key] : []))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(async (node, at) => (node === null ? null : this.end(at))))
    await rm(this.#directory, { recursive: true, force: true })
  }
}
