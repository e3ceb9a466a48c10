import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A new empty folder that is gone when the test has finished. */
export async function tempDir(): Promise<string> {
  const directory = await makeTempDir()
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A new empty folder for a whole suite, which removes it itself. */
export function makeTempDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'holdfast-test-'))
}
