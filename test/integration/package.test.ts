import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeTempDir } from '../support/temp-dir.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TOOLS = join(ROOT, 'node_modules/.bin')

/** An application that imports every door, and uploads through what they are for. */
const APPLICATION = `
import { once } from 'node:events'
import { createServer } from 'node:http'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { createUploads, UploadError } from 'holdfast'
import { ResumableUploader } from 'holdfast/client'
import { folderStorage, openFile } from 'holdfast/client/node'
import plugin, { frameworkErrors } from 'holdfast/fastify'
import { FileStorage } from 'holdfast/file'
import { holdfast } from 'holdfast/node'
import { RedisState } from 'holdfast/redis'
import { S3Storage } from 'holdfast/s3'
import { TusServer } from 'holdfast/tus'

async function upload(url: string): Promise<string> {
  const tus = { 'Tus-Resumable': '1.0.0' }
  const created = await fetch(url + '/files', { method: 'POST', headers: { ...tus, 'Upload-Length': '5' } })
  const location = new URL(created.headers.get('location') ?? '', url)
  const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' }
  await fetch(location, { method: 'PATCH', headers: { ...tus, ...type }, body: 'hello' })
  return (await fetch(location)).text()
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new UploadError('INTERNAL')
  return 'http://127.0.0.1:' + address.port
}

const app = Fastify({ frameworkErrors })
await app.register(plugin, { storage: new FileStorage({ directory: 'fastify' }), maxFileSize: '5MiB' })
console.log('fastify', await upload(await app.listen({ port: 0 })))
await app.close()

const uploads = createUploads({ storage: new FileStorage({ directory: 'node' }) })
await uploads.open()
const server = createServer(holdfast({ uploads }))
const base = await listen(server)
console.log('node', await upload(base))
const uploader = new ResumableUploader(base, { storage: folderStorage('remembered') })
const file = await openFile('package.json')
console.log('client', (await uploader.uploadFile(file)).size === file.size)
await file.close()
await uploads.close()
server.close()

const tus = new TusServer({ path: '/files', datastore: new FileStorage({ directory: 'tus' }) })
const alone = createServer((request, response) => tus.handle(request, response))
console.log('tus', await upload(await listen(alone)))
await tus.close()
alone.close()

const redis = new Redis({ lazyConnect: true })
const state = new RedisState({ redis })
if (typeof S3Storage !== 'function') throw new Error('no S3Storage')
console.log('redis', redis.status)
await state.close()
redis.disconnect()
`

/** A page that uploads: compiled with what browsers have, and nothing of Node. */
const PAGE = `
import { ResumableUploader, ResumableUploadError, webStorage, type UploadTask } from 'holdfast/client'

const uploader = new ResumableUploader('', { storage: webStorage(sessionStorage), fetch: (url, init) => fetch(url, init) })
const input = document.querySelector('input')
let task: UploadTask | null = null
input?.addEventListener('change', () => {
  const [file] = input.files ?? []
  if (file === undefined) return
  task = uploader.start(file, { onProgress: ({ percentComplete }) => console.log(percentComplete) })
  task.done.catch((error) => console.log(error instanceof ResumableUploadError && error.code === 'CANCELLED'))
})
document.querySelector('button')?.addEventListener('click', () => task?.pause())
`

describe('the package, packed and installed into an empty folder', { timeout: 60_000 }, () => {
  let directory: string
  let tarball: string
  let packed: readonly string[]

  /** Runs a command in the folder; what it writes. */
  async function run(command: string, ...args: string[]): Promise<string> {
    try {
      // `npm test --silent` would silence the commands of npm that are started here.
      const env = { ...process.env, npm_config_loglevel: 'error' }
      return (await promisify(execFile)(command, args, { cwd: directory, env })).stdout
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string }
      throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
    }
  }

  beforeAll(async () => {
    directory = await makeTempDir()
    const told = await run('npm', 'pack', ROOT, '--json', '--ignore-scripts', '--pack-destination', directory)
    const [pack] = Object.values(JSON.parse(told)) as { filename: string; files: { path: string }[] }[]
    tarball = join(directory, pack?.filename ?? '')
    packed = (pack?.files ?? []).map(({ path }) => path)
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
    await run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', tarball)
  }, 60_000)

  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('has what it needs, and no tests but the conformance suite', () => {
    expect(packed).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json']))
    const expected =
      /^(?:dist\/)?(?:src|adapters|test\/conformance)\/|^docs\/[a-z0-9-]+\.md$|^[A-Z]+(?:\.md)?$|^package\.json$/
    expect(packed.filter((path) => !expected.test(path))).toEqual([])
  })

  it('compiles and uploads through every door', async () => {
    const { exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { exports: object }
    for (const door of Object.keys(exports).filter((path) => !path.endsWith('.json'))) {
      expect(APPLICATION).toContain(`from '${door.replace('.', 'holdfast')}'`)
    }
    await mkdir(join(directory, 'node_modules/@types'), { recursive: true })
    await symlink(join(ROOT, 'node_modules/@types/node'), join(directory, 'node_modules/@types/node'))
    await writeFile(join(directory, 'application.ts'), APPLICATION)
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--skipLibCheck']
    await run(join(TOOLS, 'tsc'), ...options, 'application.ts')
    await expect(run(process.execPath, 'application.js')).resolves.toBe(
      'fastify hello\nnode hello\nclient true\ntus hello\nredis wait\n',
    )
  })

  it('compiles for a page, which has nothing of Node', async () => {
    await writeFile(join(directory, 'page.ts'), PAGE)
    const options = ['--strict', '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022']
    await run(join(TOOLS, 'tsc'), ...options, '--lib', 'es2022,dom,dom.iterable', '--types', '', 'page.ts')
  })

  it('has a command that checks servers', async () => {
    await expect(run('node_modules/.bin/holdfast-conformance', '--help')).resolves.toContain('PASS')
  })

  it('has a command', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    await expect(run('node_modules/.bin/holdfast', '--version')).resolves.toBe(`${version}\n`)
  })

  it('is right for publint and for attw', async () => {
    await run(join(TOOLS, 'publint'), '--strict', tarball)
    await run(join(TOOLS, 'attw'), tarball, '--profile', 'esm-only')
  })
})
