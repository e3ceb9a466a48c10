import type { S3Client } from '@aws-sdk/client-s3'
import type { Metrics } from './metrics.ts'

/** Measures every attempt at a request of a client that is ours. */
export function observeS3(client: Pick<S3Client, 'middlewareStack'>, metrics: Metrics): void {
  client.middlewareStack.add(
    (next, { commandName = 'unknown' }) =>
      async (args) => {
        const begun = performance.now()
        const command = commandName.replace(/Command$/, '')
        const end = (outcome: string): void =>
          metrics.s3Request.record((performance.now() - begun) / 1000, command, outcome)
        try {
          const answer = await next(args)
          end('ok')
          return answer
        } catch (error) {
          end(error instanceof Error ? error.name : 'error')
          throw error
        }
      },
    { step: 'initialize', name: 'holdfastMetrics' },
  )
}
