import { randomUUID } from 'node:crypto'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { Ledger } from '../../../../src/ledger.ts'
import { describeWithOwnRedis, startRedis } from '../../../support/services/own-redis.ts'
import { aManifest, anEntry, anUpload, chunkChange } from '../../../support/upload-samples.ts'
import { aClient, type Node, twoNodes } from './redis-nodes.ts'

/** What a step costs. */
interface Cost {
  /** Commands sent to Redis, whoever sent them. */
  readonly commands: number
  /** Commands that scripts made of them. */
  readonly inside: number
  /** Bytes over the node's connection. */
  readonly sent: number
  readonly received: number
}

/** An upload of chunks of the same size, of which the first are durable. */
const begun = (count: number) =>
  anUpload({
    manifest: aManifest({ size: null }),
    ledger: Ledger.of(Array.from({ length: count }, (_, number) => anEntry(number))),
  })

describeWithOwnRedis('what RedisState costs', () => {
  let one: Node
  let two: Node
  let cost: (node: Node, step: () => Promise<unknown>) => Promise<Cost>

  beforeEach(async () => {
    const server = await startRedis()
    onTestFinished(() => server.stop())
    ;[one, two] = twoNodes({ url: server.url })
    // The server meets the scripts.
    await store(one, (await one.state.adopt(begun(0))).manifest.id, 0)
    await two.state.find(one.prefix)
    const monitor = await aClient(server.url).monitor()
    onTestFinished(() => monitor.disconnect())
    cost = async ({ redis }, step) => {
      // Until both marks have been seen: what the server did before may be told late.
      const mark = async () => {
        const text = randomUUID()
        const seen = new Promise<void>((resolve) =>
          monitor.on('monitor', (_time: string, args: string[]) => args[1] === text && resolve()),
        )
        await redis.echo(text)
        await seen
      }
      await mark()
      const sources: string[] = []
      const listener = (_time: string, [command]: string[], source: string) =>
        command !== 'echo' && sources.push(source)
      monitor.on('monitor', listener)
      const { bytesWritten, bytesRead } = redis.stream
      await step()
      const [sent, received] = [redis.stream.bytesWritten - bytesWritten, redis.stream.bytesRead - bytesRead]
      await mark()
      monitor.off('monitor', listener)
      const inside = sources.filter((source) => source === 'lua').length
      return { commands: sources.length - inside, inside, sent, received }
    }
  })

  /** What a JSON chunk asks of state. */
  async function store({ state }: Node, id: string, number: number): Promise<void> {
    const { lock, upload } = await state.lock(id, { scope: { kind: 'chunk', number }, waitMs: 1_000 })
    expect(upload?.ledger.chunks.has(number)).toBe(false)
    const change = chunkChange(number)
    const after = await state.commit(id, [change], { lock, expiresAt: Date.now() + 86_400_000, release: true })
    expect(after?.ledger.chunks.has(number)).toBe(true)
  }

  it('is two commands for a chunk, of the same size for the 10th and the 10,000th', async () => {
    const costs: Cost[] = []
    for (const count of [8, 9_998]) {
      const { id } = (await one.state.adopt(begun(count))).manifest
      await store(one, id, count)
      costs.push(await cost(one, () => store(one, id, count + 1)))
    }
    const [early, late] = costs as [Cost, Cost]
    expect([early.commands, late.commands]).toEqual([2, 2])
    expect(late.inside).toBe(early.inside)
    expect(late.sent - early.sent).toBeLessThan(50)
    expect(late.received - early.received).toBeLessThan(50)
  })

  it('does not rise for a chunk that joins thousands behind it', async () => {
    const { id } = (await one.state.adopt(begun(10))).manifest
    const usual = await cost(one, () => store(one, id, 10))
    const behind = Array.from({ length: 9_000 }, (_, i) => anEntry(12 + i))
    const { manifest } = await one.state.adopt({ ...begun(0), manifest: aManifest({ id, size: null }) })
    await one.state.adopt(anUpload({ manifest, ledger: Ledger.of(behind) }))
    const joining = await cost(one, () => store(one, id, 11))
    expect((await one.state.find(id))?.ledger.run).toBe(9_012)
    expect(joining.inside - usual.inside).toBeLessThan(5)
  })

  it('is one command for a look at an upload, and what is new of it', async () => {
    const { id } = (await one.state.adopt(begun(1_000))).manifest
    const first = await cost(two, () => two.state.find(id))
    expect(first).toMatchObject({ commands: 1 })
    expect(first.received).toBeGreaterThan(1_000 * 70)
    for (const number of [1_000, 1_001]) await store(one, id, number)
    const next = await cost(two, () => two.state.find(id))
    expect(next).toMatchObject({ commands: 1 })
    expect(next.received).toBeLessThan(600)
    expect((await two.state.find(id))?.ledger.run).toBe(1_002)
  })

  it('is nothing for a look at what this process saw last', async () => {
    const { id } = (await one.state.adopt(begun(3))).manifest
    expect(await cost(one, () => one.state.find(id, { recent: true }))).toMatchObject({ commands: 0, inside: 0 })
  })
})
