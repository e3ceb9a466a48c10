import { setTimeout as delay } from 'node:timers/promises'
import { block, Connection } from './connection.ts'
import type { Job, Told } from './job.ts'
import { createTus, offsetOf, patchHeaders, patchTus, progress } from './protocols.ts'
import { timed } from './throughput.ts'

/** So long a poller waits after an answer, ms. */
const EVERY_MS = 10
const PIECE = 64 * 1024
/** So long a PATCH is under way before it is asked for, ms. */
const BEFORE_MS = 200

type Poll = 'nothing' | 'progress' | 'head'

/** One long PATCH, while somebody else asks every 10 ms: for its progress, or where another upload stands. */
export async function poll([first]: readonly Connection[], { url, bytes }: Job, what: Poll): Promise<Told> {
  if (first === undefined) return {}
  const path = await createTus(first, bytes)
  const asking = await Connection.to(url)
  const other = await createTus(asking, bytes)
  await patchTus(asking, other, 0, PIECE)
  const latencies: number[] = []
  const done = new AbortController()
  const sent = patchTus(first, path, 0, bytes).finally(() => done.abort())
  const asks: Readonly<Record<Poll, (() => Promise<unknown>) | null>> = {
    nothing: null,
    head: () => offsetOf(asking, other),
    progress: () => progress(asking, path.split('/').at(-1) ?? ''),
  }
  const ask = asks[what]
  if (ask !== null) {
    while (!done.signal.aborted) {
      await timed(latencies, ask)
      await delay(EVERY_MS)
    }
  }
  await sent
  asking.close()
  return { latencies, figures: { polls: latencies.length } }
}

/**
 * A client believes its connection dead and asks where its upload stands, while the server still hears the old one: how
 * long until it is told an offset it can go on from. Counts bytes that were sent and have to be sent again, too.
 */
export async function headOfLive([first]: readonly Connection[], { url, bytes, count }: Job): Promise<Told> {
  if (first === undefined) return {}
  const latencies: number[] = []
  let lost = 0
  for (let time = 0; time < count; time += 1) {
    const path = await createTus(first, bytes)
    const old = await Connection.to(url)
    old.begin('PATCH', path, { ...patchHeaders(0), 'Content-Length': String(bytes) })
    const until = performance.now() + BEFORE_MS
    let sent = 0
    for (; performance.now() < until && sent + PIECE < bytes; sent += PIECE) {
      await old.send(block(PIECE))
      await delay(1)
    }
    const offset = await timed(latencies, async () => {
      for (;;) {
        const told = await offsetOf(first, path)
        if (told !== null) return told
        await delay(100)
      }
    })
    lost += sent - offset
    old.close()
  }
  return { latencies, figures: { lostKib: lost / 1024 / count } }
}
