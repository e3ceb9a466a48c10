import { resolve } from 'node:path'
import { PROJECT_ROOT } from './project-root.ts'

/** Where services are looked for. */
export interface Whereabouts {
  readonly env: NodeJS.ProcessEnv
  /** The folder that what is fetched is kept in. */
  readonly cache: string
}

/** This process's own variables and the project's cache folder, or the one `TEST_SERVICES_CACHE` names. */
export function whereabouts(): Whereabouts {
  const cache = process.env['TEST_SERVICES_CACHE'] || '.cache/services'
  return { env: process.env, cache: resolve(PROJECT_ROOT, cache) }
}
