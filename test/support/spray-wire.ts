import type { Random } from './byte-source.ts'
import { type Answer, ConnectionLost, Wire, type WireRequest } from './http-wire.ts'

/** A client behind a load balancer that knows nothing: every request goes to any node of those that are there. */
export class SprayWire extends Wire {
  readonly #nodes: () => readonly string[]
  readonly #random: Random
  readonly #wires = new Map<string, Wire>()

  /** `nodes`: where the nodes are now. */
  constructor(nodes: () => readonly string[], random: Random) {
    super('')
    this.#nodes = nodes
    this.#random = random
  }

  override close(): void {
    for (const wire of this.#wires.values()) wire.close()
    super.close()
  }

  override async send(method: string, path: string, options: WireRequest = {}): Promise<Answer> {
    const nodes = this.#nodes()
    const url = nodes[this.#random.int(0, nodes.length - 1)]
    if (url === undefined) throw new ConnectionLost('No node is there.')
    return this.#wireOf(url).send(method, path, options)
  }

  #wireOf(url: string): Wire {
    const standing = this.#wires.get(url)
    if (standing !== undefined) return standing
    const wire = new Wire(url)
    this.#wires.set(url, wire)
    return wire
  }
}
