import type { UploadsOptions } from '../../../src/index.ts'
import type { Metrics } from './metrics.ts'
import { type CallListener, observeCalls } from './observe-calls.ts'
import { outcomeOf } from './outcome.ts'

type State = NonNullable<UploadsOptions['state']>
type LockRequest = Parameters<State['lock']>[1]

/** The same state, every call of which is measured: waits for locks apart, and locks that were lost. */
export function observeState(state: State, metrics: Metrics): State {
  const measured: CallListener = (call, seconds, error) => {
    metrics.stateCall.record(seconds, call, outcomeOf(error))
  }
  const waited = async <T>(request: LockRequest, acquire: (observed: LockRequest) => Promise<T>): Promise<T> => {
    const scope = request.scope.kind
    const begun = performance.now()
    const observed = {
      ...request,
      onLost: () => {
        metrics.locksLost.inc({ scope })
        request.onLost?.()
      },
    }
    const end = (error: unknown): void =>
      metrics.lockWait.record((performance.now() - begun) / 1000, scope, outcomeOf(error))
    return acquire(observed).then(
      (result) => {
        end(null)
        return result
      },
      (error: unknown) => {
        end(error)
        throw error
      },
    )
  }
  const { locks } = state
  return observeCalls(state, measured, {
    locks: observeCalls(locks, () => {}, {
      acquire: (id, request) => waited(request, (observed) => locks.acquire(id, observed)),
    }),
    lock: (id, request) => waited(request, (observed) => state.lock(id, observed)),
  })
}
