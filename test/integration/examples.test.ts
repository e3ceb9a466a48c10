import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Upload } from 'tus-js-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tempDir } from '../support/temp-dir.ts'

describe.each(['express', 'fastify', 'node-http'])('the example %s', (name) => {
  it('takes an upload by tus-js-client, tells of it, and ends on SIGTERM', async () => {
    const script = fileURLToPath(new URL(`../../examples/${name}/server.mjs`, import.meta.url))
    const { PATH = '' } = process.env
    const env = { PATH, PORT: '0', DATA_DIR: await tempDir() }
    const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const told = async (): Promise<string> => String((await lines.next()).value)

    const endpoint = `${/http:\S+/.exec(await told())?.[0]}/files`
    await new Promise<void>((resolve, reject) => {
      new Upload(Buffer.from('hello'), {
        endpoint,
        metadata: { filename: 'hello.txt' },
        onSuccess: () => resolve(),
        onError: reject,
      }).start()
    })
    expect(await told()).toBe('hello.txt is here: 5 bytes')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
