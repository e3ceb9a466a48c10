import { join } from 'node:path'
import { PROJECT_ROOT } from '../../support/services/project-root.ts'
import { type Place, s3Variables, startProgram, type Subject } from '../subject.ts'

const MAIN = join(PROJECT_ROOT, 'dist/adapters/standalone/start.cjs')

/** The server as `npm start` starts it, with all at its default but what the variables say. */
export function holdfast(variables: Readonly<Record<string, string>> = {}): Subject {
  return {
    start: (place) => startProgram([process.execPath, MAIN], { ...storageOf(place), PORT: '0', ...variables }),
  }
}

function storageOf({ folder, s3 }: Place): Readonly<Record<string, string>> {
  if (s3 === undefined) return { DATA_DIR: folder }
  return {
    ...s3Variables(s3),
    STORAGE: 's3',
    S3_BUCKET: s3.bucket,
    S3_ENDPOINT: s3.endpoint,
    S3_FORCE_PATH_STYLE: 'on',
  }
}
