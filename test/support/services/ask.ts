import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, inject, it, type TestOptions } from 'vitest'
import type { ServiceAnswer, Services } from './service-broker.ts'

/** `describe`, as far as suites need it that need a service. */
interface Describe {
  (title: string, body: () => void): void
  (title: string, options: TestOptions, body: () => void): void
}

/** A service as a test file has it. */
export interface Asked<Service> {
  /** The service; throws where there is none. */
  readonly service: () => Service
  /** `describe` where there is one; else it skips its suite without looking into it. */
  readonly describe: Describe
}

/**
 * Asks the run's process for a service, which starts it where nobody has asked before. Where it is missing, tests are
 * not run, and the end of the run says why; with `CI` set, the file that asks fails.
 */
export async function ask<Name extends keyof Services>(name: Name): Promise<Asked<Services[Name]>> {
  const answer = await fetchAnswer(name)
  if ('failed' in answer) throw new Error(answer.failed)
  if ('missing' in answer && process.env['CI']) throw new Error(answer.missing)
  return {
    service: () => {
      if ('missing' in answer) throw new Error(answer.missing)
      return answer.service
    },
    describe: 'service' in answer ? describe : notRun,
  }
}

/** The body of a suite may use the service at once, so it is not even listed. */
const notRun: Describe = (title: string) => describe(title, () => it.skip('is not run: what it needs is missing'))

/** Without the time limit that `fetch` has: what is fetched for the first time may take minutes. */
async function fetchAnswer<Name extends keyof Services>(name: Name): Promise<ServiceAnswer<Name>> {
  const body = await new Promise<string>((resolve, reject) => {
    const asked = request(`${inject('serviceBroker')}/${name}`, (response) => void text(response).then(resolve, reject))
    asked.once('error', reject).end()
  })
  return JSON.parse(body) as ServiceAnswer<Name>
}
