import { fileURLToPath } from 'node:url'
import { type Place, s3Variables, startProgram, type Subject } from '../subject.ts'

/** A program of ours in `servers/`, that is told the folder, or where the bucket is. */
export function nodeServer(name: string, ...options: readonly string[]): Subject {
  const program = fileURLToPath(new URL(`../servers/${name}.js`, import.meta.url))
  return {
    start: (place) =>
      startProgram([process.execPath, program, ...argumentsOf(place), ...options], place.s3 && s3Variables(place.s3)),
  }
}

function argumentsOf({ folder, s3 }: Place): readonly string[] {
  return s3 === undefined ? [folder] : [s3.endpoint, s3.bucket]
}
