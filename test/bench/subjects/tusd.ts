import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { freePort } from '../../support/services/free-port.ts'
import { searchPath } from '../../support/services/search-path.ts'
import { type Place, s3Variables, startProgram, type Subject } from '../subject.ts'

/** The tusd that `TUSD` names, else that of the PATH; undefined where there is none. */
export function findTusd(env: NodeJS.ProcessEnv): string | undefined {
  return env['TUSD'] || searchPath(['tusd'], env)[0]
}

/** What it calls itself, or else what Go wrote into it: a tusd that was built by `go install` does not know. */
export async function tusdVersion(program: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, ['-version'])
  const told = /Version: (v\S+)/.exec(stdout + stderr)?.[1]
  if (told !== undefined) return told
  const path = searchPath(program.includes('/') ? [] : [program], process.env)[0] ?? program
  const built = /github\.com\/tus\/tusd\/v2\t(v[\d.]+)/.exec(await readFile(path, 'latin1'))?.[1]
  return built ?? 'of a version that it does not tell'
}

/** tusd with nothing but where to listen and where to keep bytes: no hooks, all else at its default. */
export function tusd(program: string, { partSize }: { readonly partSize?: number } = {}): Subject {
  return {
    start: async (place) => {
      const port = await freePort()
      const listen = ['-host', '127.0.0.1', '-port', String(port)]
      const variables = place.s3 === undefined ? {} : s3Variables(place.s3)
      return startProgram([program, ...listen, ...storageOf(place, partSize)], variables, port)
    },
  }
}

function storageOf({ folder, s3 }: Place, partSize: number | undefined): readonly string[] {
  if (s3 === undefined) return ['-upload-dir', folder]
  const part = partSize === undefined ? [] : ['-s3-part-size', String(partSize)]
  return ['-s3-bucket', s3.bucket, '-s3-endpoint', s3.endpoint, ...part]
}
