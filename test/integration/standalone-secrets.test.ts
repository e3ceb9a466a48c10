import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runServerProcess, startServerProcess } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'

const TIMEOUT = { timeout: 40_000 }

/** Random, so that nothing but the secret itself looks like it. */
const secret = (): string => randomBytes(24).toString('hex')

describe('a secret that is configured', () => {
  it('is not shown by a refused start, by help, or by inspect', TIMEOUT, async () => {
    const directory = await tempDir()
    const mark = secret()
    const short = mark.slice(0, 20)
    const set = {
      JWT_SECRET: mark,
      API_KEYS: `ann:${mark}`,
      REDIS_URL: `redis://ann:${mark}@127.0.0.1`,
      DATA_DIR: directory,
    }
    const runs: readonly (readonly [Readonly<Record<string, string>>, readonly string[]])[] = [
      [{ ...set, HOST: '0.0.0.0' }, []],
      [{ ...set, AUTH: 'jwt', JWT_SECRET: short }, []],
      [{ ...set, AUTH: 'jwt', JWKS_URL: 'https://id.example' }, []],
      [{ ...set, AUTH: 'api-key', API_KEYS: `ann:${mark},eve:${mark}` }, []],
      [{ ...set, AUTH: 'api-key', API_KEYS: mark }, []],
      [{ DATA_DIR: directory }, ['--auth=jwt', `--jwt-secret=${short}`]],
      [{ DATA_DIR: directory }, ['--auth=api-key', `--api-keys=${mark}`]],
      [{ DATA_DIR: directory }, ['--auth=jwt', `--jwks-url=https://ann:${mark}@id.example`]],
      [set, ['--help']],
      [set, ['inspect', randomUUID()]],
      [set, ['inspect', randomUUID(), '--json']],
    ]
    for (const [variables, args] of runs) {
      const { code, stdout, stderr } = await runServerProcess({ PORT: '0', ...variables }, args)
      expect(stdout + stderr, `${args.join(' ')} ${code}`).not.toContain(short)
      expect(code).toBe(args[0] === '--help' ? 0 : args[0] === 'inspect' ? 1 : 2)
    }
  })

  it('and is not asked for is worth a warning', TIMEOUT, async () => {
    const key = secret()
    const server = await startServerProcess(await tempDir(), { API_KEYS: `ann:${key}` })
    onTestFinished(async () => void (await server.kill()))
    await expect.poll(() => server.output()).toContain('AUTH is not set, and nobody is asked')
    expect(server.output()).not.toContain(key)
  })
})
