import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { FAULTS_VARIABLE, type NodeFaults, type NodeNews, type NodeOrder } from './node-orders.ts'

/** How a node is started. */
export interface FaultyNodeOptions {
  /** The server's program. */
  readonly main: string
  /** The program that is loaded before it; none: nothing of it fails by itself. */
  readonly preload: string | null
  readonly variables: Readonly<Record<string, string>>
  readonly faults: NodeFaults
  /** A call on its files has failed. */
  readonly onFault: (news: NodeNews) => void
}

/** How long a start may take, ms. */
const START_MS = 30_000

/** A real server in a process of its own, that can be killed, stopped and given faults. */
export class FaultyNode {
  readonly url: string
  readonly pid: number
  readonly #child: ChildProcess
  readonly #lines: string[]
  /** Whether the end of the process is wanted. */
  #isEnding = false

  private constructor(child: ChildProcess, url: string, lines: string[]) {
    this.#child = child
    this.url = url
    this.pid = child.pid ?? 0
    this.#lines = lines
  }

  static async start({ main, preload, variables, faults, onFault }: FaultyNodeOptions): Promise<FaultyNode> {
    const { PATH = '' } = process.env
    const child = spawn(process.execPath, [...(preload === null ? [] : ['--import', preload]), main], {
      env: { PATH, PORT: '0', LOG_LEVEL: 'info', ...variables, [FAULTS_VARIABLE]: JSON.stringify(faults) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const lines: string[] = []
    child.on('message', (news: NodeNews) => onFault(news))
    // An order to one that is gone is lost.
    child.on('error', () => {})
    child.stderr?.on('data', (data: Buffer) => lines.push(data.toString()))
    const url = await new Promise<string>((resolve, reject) => {
      const fail = (what: string): void =>
        reject(new Error(`the server ${what} before it listened:\n${lines.join('\n')}`))
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        fail('hung')
      }, START_MS)
      createInterface({ input: child.stdout! }).on('line', (line) => {
        // What goes well fills the memory.
        if (!line.includes('"level":30')) lines.push(line)
        const found = /http:\/\/[\d.a-z:[\]]+(?=\/files)/.exec(line)
        if (found === null) return
        clearTimeout(timer)
        resolve(found[0])
      })
      child.once('exit', (code, signal) => {
        clearTimeout(timer)
        fail(`ended with ${code ?? signal}`)
      })
    })
    return new FaultyNode(child, url, lines)
  }

  /** What it has written to standard output and standard error. */
  get output(): string {
    return this.#lines.join('\n')
  }

  /** Whether it has ended though nobody wanted that. */
  get hasCrashed(): boolean {
    return !this.#isEnding && (this.#child.exitCode !== null || this.#child.signalCode !== null)
  }

  order(order: NodeOrder): void {
    if (this.#child.connected) this.#child.send(order, () => {})
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Ends it, and waits for that. Returns its exit code, or null where a signal ended it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    this.#isEnding = true
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit')
      this.#child.kill(signal)
      await ended
    }
    return this.#child.exitCode
  }

  /** What it has open: paths of files, and names such as `socket:[4711]`. */
  async openHandles(): Promise<string[]> {
    const numbers = await readdir(`/proc/${this.pid}/fd`)
    // One may be closed meanwhile.
    const names = await Promise.all(numbers.map((number) => readlink(`/proc/${this.pid}/fd/${number}`).catch(() => '')))
    return names.filter((name) => name !== '')
  }

  /** The most memory it has had, bytes. */
  async peakMemory(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
  }
}
