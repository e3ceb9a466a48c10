/**
 * Does work side by side, with a signal that aborts when one of it fails or `signal` aborts.
 * @throws what failed first, when all has come to its end
 */
export async function together(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const all = new AbortController()
  const onAbort = (): void => all.abort(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort)
  try {
    await Promise.all(
      works.map(async (work) => {
        try {
          await work(all.signal)
        } catch (error) {
          // The first reason is the one that counts.
          if (!all.signal.aborted) all.abort(error)
        }
      }),
    )
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  if (all.signal.aborted) throw all.signal.reason
}
