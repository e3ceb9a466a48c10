import { describe, expect, it } from 'vitest'
import { subjectOf } from '../../src/access.ts'
import { MIB } from '../../src/grid.ts'
import { resolveOptions } from '../../src/options.ts'
import { MemoryState } from '../../src/state/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { newUpload } from '../../src/upload.ts'
import { testManifest } from '../support/storage-suite.ts'

const HOUR = 3_600_000

/** Nothing but its limits is looked at. */
function storageOf(minChunkSize = 1, maxChunkSize = Number.MAX_SAFE_INTEGER): Storage {
  return { limits: { minChunkSize, maxChunkSize, maxChunks: 10_000 } } as Storage
}
const storage = storageOf()
/** A secret of a webhook. */
const SECRET = `whsec_${'a'.repeat(32)}`

/** Options as somebody writes them who has no types. */
const untyped = (options: Record<string, unknown>) => () => resolveOptions({ storage, ...options })

const named = (name: string) =>
  expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(`\`${name}\``) })

describe('options', () => {
  it('have defaults for all but the storage', () => {
    const options = resolveOptions({ storage })
    expect(options).toMatchObject({
      chunkSize: 5 * MIB,
      maxFileSize: null,
      expiresAfterMs: 24 * HOUR,
      maxLifetimeMs: 7 * 24 * HOUR,
      filesExpireAfterMs: null,
      tombstoneMs: 24 * HOUR,
      lockWaitMs: 10_000,
      idleTimeoutMs: 60_000,
      sweepIntervalMs: HOUR,
      now: Date.now,
    })
    expect(options.storage).toBe(storage)
    expect(options.state).toBeInstanceOf(MemoryState)
    expect(options.authorize({ id: 'eve' }, 'cancel', subjectOf(newUpload(testManifest({ owner: 'alice' }))))).toBe(
      false,
    )
    expect(() => options.onError(new Error('unseen'), 'nowhere')).not.toThrow()
  })

  it('have a state of their own each, unless one is given', () => {
    const state = new MemoryState()
    expect(resolveOptions({ storage, state }).state).toBe(state)
    expect(resolveOptions({ storage }).state).not.toBe(resolveOptions({ storage }).state)
  })

  it('are taken as they are chosen', () => {
    const chosen = {
      storage,
      state: new MemoryState(),
      authenticate: () => null,
      authorize: () => false,
      beforeCreate: () => {},
      beforeComplete: () => {},
      onCompleted: () => {},
      cdnUrl: 'https://cdn.example/a/',
      chunkSize: 7,
      maxFileSize: 1,
      minBytesPerSecond: 15,
      allowedTypes: ['image/*'],
      sniffTypes: true,
      maxUploadsPerUser: 13,
      maxBytesPerUser: 14,
      memoryBudget: 11,
      spoolDirectory: '/var/spool',
      spoolBudget: 12,
      fileChecksum: 'composite' as const,
      expiresAfterMs: 2,
      maxLifetimeMs: 3,
      filesExpireAfterMs: 10,
      tombstoneMs: 4,
      lockWaitMs: 5,
      idleTimeoutMs: 6,
      sweepIntervalMs: 8,
      onError: () => {},
      now: () => 9,
    }
    expect(resolveOptions(chosen)).toEqual({
      ...chosen,
      webhook: null,
      cdnUrl: 'https://cdn.example/a',
      limits: storage.limits,
      onError: expect.any(Function),
    })
  })

  it('have an onError that cannot fail', async () => {
    const told: unknown[] = []
    const onError = (error: unknown): never => {
      told.push(error)
      throw new Error('the log is full')
    }
    resolveOptions({ storage, onError }).onError('trouble', 'somewhere')
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual(['trouble'])
  })

  it('are frozen, and deaf to what is done to the object they came from', () => {
    const chosen = { storage, chunkSize: 7 }
    const options = resolveOptions(chosen)
    chosen.chunkSize = 8
    expect(options.chunkSize).toBe(7)
    expect(Object.isFrozen(options)).toBe(true)
    expect(Object.isFrozen(chosen)).toBe(false)
  })

  it.each([[undefined], [null], ['./data'], [1]])('are refused with %j for a storage', (storage) => {
    expect(untyped({ storage })).toThrow(named('storage'))
  })

  const SIZES = ['chunkSize', 'maxFileSize', 'maxBytesPerUser', 'memoryBudget', 'spoolBudget']
  const NUMBERS = [
    ...SIZES,
    'maxUploadsPerUser',
    'expiresAfterMs',
    'maxLifetimeMs',
    'filesExpireAfterMs',
    'tombstoneMs',
    'lockWaitMs',
    'idleTimeoutMs',
    'sweepIntervalMs',
  ]
  const WRONG_NUMBERS = [0, -1, 0.5, Number.NaN, Infinity, 2 ** 53, '', '0', '5 chunks', true, {}, [10], 10n]
  it.each(NUMBERS)('are refused, naming %s, where that is anything but a positive whole number', (name) => {
    for (const value of WRONG_NUMBERS) expect(untyped({ [name]: value })).toThrow(named(name))
    expect(untyped({ [name]: 5 })()).toMatchObject({ [name]: 5 })
  })

  it.each(SIZES)('take %s as a text with a unit', (name) => {
    for (const text of ['5242880', '5MiB', '5 mib']) {
      expect(untyped({ [name]: text })()).toMatchObject({ [name]: 5 * MIB })
    }
  })

  it.each(NUMBERS.filter((name) => !SIZES.includes(name)))('take %s as a number only', (name) => {
    expect(untyped({ [name]: '5MiB' })).toThrow(named(name))
    expect(untyped({ [name]: '10' })).toThrow(named(name))
  })

  it.each(['lockWaitMs', 'idleTimeoutMs', 'sweepIntervalMs'])(
    'are refused, naming %s, where no timer waits that long: it would fire at once',
    (name) => {
      expect(untyped({ [name]: 2 ** 31 - 1 })()).toMatchObject({ [name]: 2 ** 31 - 1 })
      expect(untyped({ [name]: 2 ** 31 })).toThrow(named(name))
    },
  )

  it.each([
    ['authorize', true],
    ['allowedTypes', 'image/*'],
    ['allowedTypes', []],
    ['allowedTypes', ['image']],
    ['allowedTypes', ['*/png']],
    ['allowedTypes', [1]],
    ['sniffTypes', 'on'],
    // Nothing is allowed yet.
    ['sniffTypes', true],
    ['authorize', 'owner'],
    ['authenticate', null],
    ['beforeCreate', {}],
    ['beforeComplete', 'no'],
    ['onCompleted', 'webhook'],
    ['webhook', 'https://app.example'],
    ['cdnUrl', 'cdn.example'],
    ['cdnUrl', 'https://cdn.example/?a=b'],
    ['onError', 'console'],
    ['onError', {}],
    ['now', 1],
    ['now', new Date(0)],
    ['state', 'memory'],
    ['state', true],
  ])('are refused, naming %s, where that is %o', (name, value) => {
    expect(untyped({ [name]: value })).toThrow(named(name))
  })

  it.each([
    ['url', { url: 'app.example', secret: SECRET }],
    ['url', { url: 'https://ann:x@app.example', secret: SECRET }],
    ['secret', { url: 'https://app.example' }],
    ['secret', { url: 'https://app.example', secret: [] }],
    ['secret', { url: 'https://app.example', secret: [SECRET, 'whsec_short'] }],
    ['timeoutMs', { url: 'https://app.example', secret: SECRET, timeoutMs: 0 }],
  ])('are refused, naming webhook.%s, where the webhook is %o', (name, webhook) => {
    expect(untyped({ webhook })).toThrow(named(`webhook.${name}`))
  })

  it('do not let everybody in where authorize is there and is nothing', () => {
    expect(untyped({ authorize: null })).toThrow(named('authorize'))
  })

  it('have a chunk size that the storage takes', () => {
    const limited = storageOf(4, 8)
    expect(resolveOptions({ storage: limited, chunkSize: 4 }).chunkSize).toBe(4)
    expect(resolveOptions({ storage: limited, chunkSize: 8 }).chunkSize).toBe(8)
    expect(() => resolveOptions({ storage: limited, chunkSize: 3 })).toThrow(named('chunkSize'))
    expect(() => resolveOptions({ storage: limited, chunkSize: 9 })).toThrow(named('chunkSize'))
  })

  it('have a floor of chunk sizes, within what the storage takes', () => {
    const limited = storageOf(4, 8)
    const minOf = (minChunkSize: number | string, chunkSize = 8): number =>
      resolveOptions({ storage: limited, minChunkSize, chunkSize }).limits.minChunkSize
    expect(minOf(6)).toBe(6)
    expect(minOf('2')).toBe(4)
    expect(() => minOf(9)).toThrow(named('minChunkSize'))
    expect(() => minOf('much')).toThrow(named('minChunkSize'))
    expect(() => minOf(6, 5)).toThrow(named('chunkSize'))
  })

  it('have a least pace, which may be none', () => {
    expect(resolveOptions({ storage }).minBytesPerSecond).toBe(1024)
    expect(resolveOptions({ storage, minBytesPerSecond: 0 }).minBytesPerSecond).toBe(0)
    for (const value of [-1, 0.5, '5', Number.NaN, true]) {
      expect(untyped({ minBytesPerSecond: value })).toThrow(named('minBytesPerSecond'))
    }
  })

  it('have a default chunk size that is raised to what the storage needs', () => {
    expect(resolveOptions({ storage: storageOf(6 * MIB) }).chunkSize).toBe(6 * MIB)
  })
})
