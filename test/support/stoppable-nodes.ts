import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { JsonClient } from './json-client.ts'
import type { NodeNews, NodeOrder, NodePlace } from './stoppable-node.ts'
import type { S3Moment } from './stopping-s3.ts'
import type { StillNode } from './takeover.ts'
import { TusClient } from './tus-client.ts'

/** How often a node that may not have stopped yet is told to go on, ms. */
const AGAIN_MS = 20

/** A node that can be stopped for a while, as one is whose machine hangs. */
export class StoppableNode implements StillNode {
  readonly tus: TusClient
  readonly json: JsonClient
  readonly #child: ChildProcess
  readonly #completed = new Set<string>()
  #isStopping = false

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    child.on('news', (news: NodeNews) => {
      if (news.event === 'completed') this.#completed.add(news.id)
      if (news.event === 'stops') this.#isStopping = true
      if (news.event === 'goes on') this.#isStopping = false
    })
    this.tus = new TusClient(url)
    this.json = new JsonClient(url)
  }

  /** Starts a node with a compiled `stoppable-node.ts`. */
  static async start(program: string, place: NodePlace): Promise<StoppableNode> {
    const child = fork(program, [JSON.stringify(place)], { execArgv: [] })
    child.on('message', (news: NodeNews) => child.emit('news', news))
    const [first] = (await Promise.race([once(child, 'news'), once(child, 'exit')])) as [NodeNews | number | null]
    if (typeof first !== 'object' || first?.event !== 'listens') throw new Error('The node does not listen.')
    return new StoppableNode(child, first.url)
  }

  hasCompleted(id: string): boolean {
    return this.#completed.has(id)
  }

  async stopsAt(moment: S3Moment): Promise<void> {
    this.#order({ stopAt: moment })
    await this.#heard('stops')
  }

  /** Bytes that it has taken from its clients so far. */
  async taken(): Promise<number> {
    this.#order('tell what is taken')
    const told = await this.#heard('taken')
    return told.event === 'taken' ? told.bytes : 0
  }

  /** Stops it wherever it is. */
  stop(): void {
    this.#child.kill('SIGSTOP')
  }

  goOn(): void {
    this.#child.kill('SIGCONT')
    // It may have told that it stops, and not have come to it yet.
    if (this.#isStopping) setTimeout(() => this.goOn(), AGAIN_MS)
  }

  async end(): Promise<void> {
    this.json.close()
    this.#isStopping = false
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  #order(order: NodeOrder): void {
    this.#child.send(order)
  }

  async #heard(event: NodeNews['event']): Promise<NodeNews> {
    for (;;) {
      const [one] = (await once(this.#child, 'news')) as [NodeNews]
      if (one.event === event) return one
    }
  }
}
