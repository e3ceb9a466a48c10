import { realpath } from 'node:fs/promises'
import { ResumableUploader, ResumableUploadError, type UploadProgress } from '../../client/index.ts'
import { folderStorage, openFile } from '../../client/node/index.ts'
import type { UploadCommand } from './upload-command.ts'
import { ProgressDisplay, type ProgressOutput } from './progress-display.ts'
import { fileAddress, goOnText, resultText } from './result-text.ts'
import { printable } from './progress-text.ts'

/** What a command is run with. */
export interface UploadSurroundings {
  readonly stdout: ProgressOutput
  readonly stderr: ProgressOutput
  /** Where unfinished uploads are remembered. */
  readonly directory: string
  /** Stops it. */
  readonly signal: AbortSignal
}

/** Failures that the next file would meet as well. */
const EVERYWHERE: ReadonlySet<string> = new Set([
  'NETWORK',
  'STALLED',
  'UNAUTHENTICATED',
  'UNEXPECTED_ANSWER',
  'DRAINING',
])

/** Uploads the files, one after the other, and says what became of each. Returns whether all are there. */
export async function upload(command: UploadCommand, surroundings: UploadSurroundings): Promise<boolean> {
  const { stderr, directory, signal } = surroundings
  const { token, files } = command
  const uploader = new ResumableUploader(command.to, {
    apiPrefix: command.apiPrefix,
    parallel: command.parallel,
    storage: folderStorage(directory),
    ...(token === null ? {} : { getToken: () => token }),
  })
  let failed = 0
  for (const path of files) {
    try {
      await uploadOne(uploader, path, command, surroundings)
    } catch (error) {
      failed += 1
      if (signal.aborted) {
        stderr.write(goOnText(command))
        return false
      }
      stderr.write(`holdfast: ${printable(`${path}: ${messageOf(error)}`)}\n`)
      if (error instanceof ResumableUploadError && EVERYWHERE.has(error.code)) {
        stderr.write(goOnText(command))
        return false
      }
    }
  }
  return failed === 0
}

async function uploadOne(
  uploader: ResumableUploader,
  path: string,
  { to, apiPrefix, contentType, json }: UploadCommand,
  { stdout, stderr, signal }: UploadSurroundings,
): Promise<void> {
  const file = await openFile(path, { type: contentType })
  const display = new ProgressDisplay(stderr)
  let found = false
  const onProgress = (progress: UploadProgress): void => {
    if (!found && progress.state === 'checking') {
      found = true
      display.clear()
      stderr.write(`${printable(path)}: going on, ${Math.floor(progress.percentComplete)} % is there\n`)
    }
    display.show(progress)
  }
  try {
    const options = { signal, onProgress, fingerprint: await realpath(path) }
    const result = await uploader.uploadFile(file, {}, options)
    const address = fileAddress(to, apiPrefix, result)
    display.clear()
    stdout.write(json ? `${JSON.stringify({ path, ...result, address })}\n` : resultText(path, result, address))
  } finally {
    display.clear()
    await file.close()
  }
}

function messageOf(error: unknown): string {
  if (error instanceof ResumableUploadError) return `${error.message} (${error.code})`
  // Node's messages of the system's errors go on with the call and the path.
  return error instanceof Error ? error.message.replace(/^E[A-Z]+: ([^,]+), .*$/s, '$1') : String(error)
}
