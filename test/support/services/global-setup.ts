import type { TestProject } from 'vitest/node'
import { ServiceBroker } from './service-broker.ts'
import { whereabouts } from './whereabouts.ts'

declare module 'vitest' {
  interface ProvidedContext {
    readonly serviceBroker: string
  }
}

let broker: ServiceBroker | undefined

export async function setup(project: TestProject): Promise<void> {
  broker = new ServiceBroker(whereabouts())
  project.provide('serviceBroker', await broker.listen())
}

export async function teardown(): Promise<void> {
  await broker?.close()
  for (const missing of broker?.missing ?? []) process.stderr.write(`\nNOT RUN: ${missing}\n`)
}
