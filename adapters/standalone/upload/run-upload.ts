import { constants } from 'node:os'
import { stateDirectory } from './state-directory.ts'
import { upload } from './upload.ts'
import type { UploadCommand } from './upload-command.ts'

/** Runs the command until it ends or a signal stops it; its exit code. A second signal ends the process at once. */
export async function runUpload(command: UploadCommand): Promise<number> {
  const stop = new AbortController()
  let code = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    code = 128 + constants.signals[signal]
    if (stop.signal.aborted) process.exit(code)
    stop.abort(new Error(signal))
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  // Whoever reads the progress may go away: the upload goes on.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {})
  const { stdout, stderr, env } = process
  const isDone = await upload(command, { stdout, stderr, directory: stateDirectory(env), signal: stop.signal })
  if (code !== 0) return code
  return isDone ? 0 : 1
}
