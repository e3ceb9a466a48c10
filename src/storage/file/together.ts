/** Waits until all of them have ended; throws then what the first in the list that failed has thrown. */
export async function together(works: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) {
    if (outcome.status === 'rejected') throw outcome.reason
  }
}
