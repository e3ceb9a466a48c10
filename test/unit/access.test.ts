import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import {
  ADMIN_SCOPE,
  ownerMay,
  subjectOf,
  type Action,
  type Authorize,
  type Caller,
  type Subject,
} from '../../src/access.ts'
import { Uploads } from '../../src/index.ts'
import { newUpload } from '../../src/upload.ts'
import { testManifest } from '../support/storage-suite.ts'
import { openUploads } from './operations/opened-uploads.ts'

const ann = { id: 'ann' }
const anns = subjectOf(newUpload(testManifest({ owner: 'ann' })))
const nobodys: Subject = { ...anns, owner: null }
const ACTIONS: readonly Action[] = ['create', 'read', 'write', 'complete', 'cancel', 'download']

describe('by default', () => {
  it('an upload is its owner’s', () => {
    expect(ownerMay(ann, 'write', anns)).toBe(true)
    expect(ownerMay({ id: 'eve' }, 'read', anns)).toBe(false)
    expect(ownerMay(null, 'download', anns)).toBe(false)
  })

  it('an upload that nobody owns is whose who knows its id', () => {
    expect(ownerMay(null, 'cancel', nobodys)).toBe(true)
    expect(ownerMay(ann, 'cancel', nobodys)).toBe(true)
  })

  it('anybody who was let in may create', () => {
    expect(ownerMay(ann, 'create', anns)).toBe(true)
    expect(ownerMay(null, 'create', nobodys)).toBe(true)
  })

  it('who has the scope admin may do everything to everybody’s', () => {
    const admin = { id: 'root', scopes: ['uploads', ADMIN_SCOPE] }
    for (const action of ACTIONS) expect(ownerMay(admin, action, anns)).toBe(true)
  })

  it('no other scope lets anybody at another’s', () => {
    for (const scopes of [[], ['Admin'], ['administrator'], ['admin '], ['not-admin'], ['*']]) {
      for (const action of ACTIONS.slice(1)) {
        expect(ownerMay({ id: 'eve', scopes }, action, anns), scopes.join()).toBe(false)
      }
    }
  })
})

const CALLER: Caller = { principal: ann }

/** What is asked about. */
type Made = Subject

const CREATED = {
  id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  fileId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  owner: 'ann',
  fileName: 'b',
  size: 1,
  contentType: 'application/octet-stream',
  metadata: {},
  status: 'initiated',
}

/** The rest are for who runs the core, say who it is that asks (`redeem`), or tell him of what is his (`list`). */
const ASKING_NOBODY = ['constructor', 'open', 'check', 'close', 'redeem', 'stats', 'sweep', 'list']

/** What every method of the core asks for, first. */
const METHODS: Readonly<
  Record<string, readonly [Action, (uploads: Uploads, made: Made, caller: Caller) => Promise<unknown>]>
> = {
  create: ['create', (uploads, _made, caller) => uploads.create({ fileName: 'b', fileSize: 1 }, caller)],
  find: ['read', (uploads, { id }, caller) => uploads.find(id, caller)],
  settle: ['read', (uploads, { id }, caller) => uploads.settle(id, caller)],
  progress: ['read', (uploads, { id }, caller) => uploads.progress(id, caller)],
  watch: ['read', async (uploads, { id }, caller) => (await uploads.watch(id, caller)).close()],
  file: ['read', (uploads, { fileId }, caller) => uploads.file(fileId, caller)],
  append: [
    'write',
    (uploads, { id }, caller) => uploads.append(id, { offset: 0, body: Readable.from([]), contentLength: 0 }, caller),
  ],
  putChunk: [
    'write',
    (uploads, { id }, caller) => uploads.putChunk(id, { number: 0, body: bytes(), contentLength: 5 }, caller),
  ],
  resume: ['write', (uploads, { id }, caller) => uploads.resume(id, caller)],
  complete: ['complete', (uploads, { id }, caller) => uploads.complete(id, {}, caller)],
  cancel: ['cancel', (uploads, { id }, caller) => uploads.cancel(id, caller)],
  terminate: ['cancel', (uploads, { id }, caller) => uploads.terminate(id, caller)],
  removeFile: ['cancel', (uploads, { fileId }, caller) => uploads.removeFile(fileId, caller)],
  download: ['download', (uploads, { id }, caller) => uploads.download(id, caller)],
  downloadFile: ['download', (uploads, { fileId }, caller) => uploads.downloadFile(fileId, caller)],
}

function bytes(): Readable {
  return Readable.from([Buffer.from('hello')])
}

/** Uploads of which one is finished, and what is asked of them; `denied` is denied from then on. */
async function finished(denied: Action | null) {
  const asked: (readonly [string | undefined, Action, Subject])[] = []
  let armed = false
  const authorize: Authorize = (principal, action, subject) => {
    asked.push([principal?.id, action, subject])
    return !armed || action !== denied
  }
  const { uploads } = await openUploads({ authorize })
  const input = { fileName: 'a', fileSize: 5, contentType: 'text/plain', metadata: { album: 'summer' } }
  const { manifest } = await uploads.create(input, CALLER)
  await uploads.putChunk(manifest.id, { number: 0, body: bytes(), contentLength: 5 }, CALLER)
  await uploads.complete(manifest.id, {}, CALLER)
  armed = true
  asked.length = 0
  const { id, fileId, owner, fileName, size, contentType, metadata } = manifest
  const made: Made = { id, fileId, owner, fileName, size, contentType, metadata, status: 'uploaded' }
  return { uploads, asked, made }
}

describe.each(Object.entries(METHODS))('%s', (name, [action, call]) => {
  it(`asks whether one may ${action}, and nothing else, and says of what`, async () => {
    const { uploads, asked, made } = await finished(null)
    // Some come too late for a finished upload.
    await call(uploads, made, CALLER).catch(() => {})
    expect(asked.length).toBeGreaterThan(0)
    for (const one of asked) expect(one).toEqual(['ann', action, action === 'create' ? CREATED : made])
  })

  it('where that is denied changes nothing, and tells nothing but that there is no such thing', async () => {
    const { uploads, made } = await finished(action)
    const code = action === 'create' ? 'FORBIDDEN' : /file/i.test(name) ? 'FILE_NOT_FOUND' : 'UPLOAD_NOT_FOUND'
    await expect(call(uploads, made, CALLER)).rejects.toMatchObject({ code, details: undefined })
    const other = action === 'read' ? uploads.download(made.id, CALLER) : uploads.find(made.id, CALLER)
    await expect(other).resolves.toBeDefined()
  })
})

describe('an upload’s token', () => {
  const byToken = (tokenOf: string): Caller => ({ principal: { id: 'ann', byUploadToken: true }, tokenOf })

  it.each(Object.entries(METHODS))('does not let its bearer %s another upload or its file', async (_name, [, call]) => {
    const { uploads, made } = await finished(null)
    const { manifest } = await uploads.create({ fileName: 'c', fileSize: 1 }, CALLER)
    await expect(call(uploads, made, byToken(manifest.id))).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:UPLOAD_NOT_FOUND|UNAUTHENTICATED)$/),
    })
    expect((await uploads.find(made.id, CALLER)).status).toBe('uploaded')
  })

  it.each(Object.entries(METHODS))('may %s what has become a file only to hear that it has', async (name, [, call]) => {
    const { uploads, made } = await finished(null)
    const done = call(uploads, made, byToken(made.id))
    if (['settle', 'complete', 'watch'].includes(name)) await done
    else await expect(done).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    expect((await uploads.find(made.id, CALLER)).status).toBe('uploaded')
  })
})

describe('concatenate', () => {
  async function parts(denied: Action | null) {
    const asked: Action[] = []
    let armed = false
    const { uploads } = await openUploads({
      authorize: (_principal, action) => {
        asked.push(action)
        return !armed || action !== denied
      },
    })
    const ids: string[] = []
    for (const _ of ['first', 'second']) {
      const { manifest } = await uploads.create({ fileName: 'part', fileSize: 5, partial: true }, CALLER)
      await uploads.append(manifest.id, { offset: 0, body: bytes(), contentLength: 5 }, CALLER)
      ids.push(manifest.id)
    }
    armed = true
    asked.length = 0
    return { uploads, asked, concatenated: uploads.concatenate({ fileName: 'b', parts: ids }, CALLER) }
  }

  it('asks whether one may complete each of the parts, and create the file', async () => {
    const { asked, concatenated } = await parts(null)
    expect((await concatenated).offset).toBe(10)
    expect(asked.slice(0, 3)).toEqual(['complete', 'complete', 'create'])
  })

  it('makes nothing where one of them is denied', async () => {
    for (const [denied, code] of [
      ['complete', 'UPLOAD_NOT_FOUND'],
      ['create', 'FORBIDDEN'],
    ] as const) {
      const { concatenated } = await parts(denied)
      await expect(concatenated).rejects.toMatchObject({ code })
    }
  })
})

it('the core has no method that is not tested here', () => {
  const methods = Object.entries(Object.getOwnPropertyDescriptors(Uploads.prototype))
    .filter(([, { value }]) => typeof value === 'function')
    .map(([name]) => name)
  expect(methods.toSorted()).toEqual([...ASKING_NOBODY, 'concatenate', ...Object.keys(METHODS)].toSorted())
})
