import { execFile } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { findCeph } from '../support/services/ceph-program.ts'
import { findRedis } from '../support/services/redis-program.ts'
import { ServiceMissing } from '../support/services/service-missing.ts'
import { tempDir } from '../support/temp-dir.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const NOWHERE = { PATH: '' }

/** Runs the tests that need every service, on a machine that has none and can fetch none. */
async function runWithout(env: Readonly<Record<string, string>>): Promise<{ code: number; output: string }> {
  const args = ['node_modules/vitest/vitest.mjs', 'run', 'test/integration/services.test.ts']
  const options = { cwd: ROOT, env: { ...NOWHERE, NO_COLOR: '1', TEST_SERVICES_CACHE: await tempDir(), ...env } }
  return promisify(execFile)(process.execPath, args, options).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr,
    }),
  )
}

it('takes the first Redis of the PATH that is 7 or newer', async () => {
  const directory = await tempDir()
  const program = async (name: string, version: string): Promise<string> => {
    const path = join(directory, version, name)
    await mkdir(join(directory, version))
    await writeFile(path, `#!/bin/sh\necho 'Server v=${version} sha=00000000:0 bits=64'\n`, { mode: 0o755 })
    return path
  }
  await program('redis-server', '6.2.14')
  const right = await program('valkey-server', '8.1.1')
  await program('redis-server', '7.0.15')
  const PATH = ['6.2.14', '8.1.1', '7.0.15'].map((version) => join(directory, version)).join(delimiter)
  await expect(findRedis({ env: { PATH }, cache: directory })).resolves.toEqual([right])
})

describe('where there is no Redis and no S3', { timeout: 60_000 }, () => {
  it('says so, why, and what to do', async () => {
    const where = { env: NOWHERE, cache: await tempDir() }
    const redis = findRedis(where)
    await expect(redis).rejects.toBeInstanceOf(ServiceMissing)
    await expect(redis).rejects.toThrow(
      /^Redis is missing, .*no redis-server .* on the PATH, and .*no Debian-like .*To run it: .*TEST_REDIS_URL=/s,
    )
    const s3 = findCeph(where)
    await expect(s3).rejects.toBeInstanceOf(ServiceMissing)
    await expect(s3).rejects.toThrow(/^S3 is missing, .*no Debian-like .*To run it: .*TEST_S3_ENDPOINT=/s)
  })

  it('says what the mirror said, and leaves nothing half fetched', async () => {
    const cache = await tempDir()
    const offline = { http_proxy: 'http://127.0.0.1:1', https_proxy: 'http://127.0.0.1:1' }
    const s3 = findCeph({ env: { ...process.env, ...offline }, cache })
    await expect(s3).rejects.toBeInstanceOf(ServiceMissing)
    await expect(s3).rejects.toThrow(/could not be fetched.*127\.0\.0\.1|no Debian-like/s)
    await expect(readdir(cache)).resolves.toEqual([])
  })

  it('runs nothing that needs them, and the end of the run says so', async () => {
    const { code, output } = await runWithout({})
    expect(output).toMatch(/NOT RUN: Redis is missing.*To run it/s)
    expect(output).toMatch(/NOT RUN: S3 is missing.*To run it/s)
    expect(output).toMatch(/^0 passed, 0 failed, \d+ skipped$/m)
    expect(code).toBe(0)
  })

  it('fails in CI', async () => {
    const { code, output } = await runWithout({ CI: 'true' })
    expect(output).toMatch(/Error: (?:Redis|S3) is missing/)
    expect(output).toMatch(/^0 passed, 1 failed/m)
    expect(code).toBe(1)
  })
})
