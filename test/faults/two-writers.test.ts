import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { serveUploads } from '../support/served-uploads.ts'
import { SmallJsonUpload } from '../support/small-uploads.ts'
import { tempDir } from '../support/temp-dir.ts'
import { offsetIn, TusDriver } from '../support/upload-drivers.ts'

describe('a tus client that another client has overtaken', () => {
  it('is told an offset equal to the length only when the file stands', async () => {
    const directory = await tempDir()
    const { wire, close } = await serve(directory)
    onTestFinished(close)
    const upload = new SmallJsonUpload({ seed: 71, size: 10_000, chunkSize: 4096 })
    await upload.begin(wire)
    while (!upload.isSent) await upload.step(wire)

    // Every chunk is durable, and nobody has asked for completion.
    const answer = await new TusDriver(wire).patch(upload.id, 0, upload.bytes)
    const { status, fileId } = await upload.check(wire)
    if (offsetIn(answer) === upload.bytes.length) {
      expect(status).toBe('uploaded')
      await access(join(directory, 'files', fileId))
    } else {
      expect(answer.status).toBe(423)
    }
  })
})

async function serve(directory: string) {
  const served = await serveUploads({ directory })
  return { wire: served.wire, close: () => served.close() }
}
