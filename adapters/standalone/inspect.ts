import { resolve } from 'node:path'
import { inspectUpload } from '../../src/storage/file/index.ts'
import { inspectionText } from './inspection-text.ts'

/** What is inspected, and how it is told. */
export interface InspectOptions {
  readonly id: string
  readonly directory: string
  readonly json: boolean
}

/**
 * What `holdfast inspect` prints.
 * @throws Error in one line, where there is no such upload or it cannot be read
 */
export async function inspect({ id, directory, json }: InspectOptions): Promise<string> {
  // As addresses have them: people paste what they have.
  const inspection = await inspectUpload(directory, id.replace(/^.*\//, '').toLowerCase())
  if (inspection === null) throw new Error(`there is no upload or file ${JSON.stringify(id)} in ${resolve(directory)}`)
  return json ? `${JSON.stringify(inspection, null, 2)}\n` : inspectionText(inspection, Date.now())
}
