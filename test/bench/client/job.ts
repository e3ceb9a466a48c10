/** What a client is to do. */
export interface Job {
  readonly workload: Workload
  /** Scheme, host and port of the server. */
  readonly url: string
  /** Bytes in all. */
  readonly bytes: number
  readonly connections: number
  /** Bytes of a PATCH or a chunk. */
  readonly chunk: number
  /** Small files to send, or times to do it. */
  readonly count: number
  /** Processes whose CPU the client looks at by itself, between requests. */
  readonly watch: readonly number[]
  /** Id of an upload that is there already, and lacks its last chunk alone. */
  readonly upload: string
}

export type Workload =
  | 'patch'
  | 'patches'
  | 'chunks'
  | 'put'
  | 'puts'
  | 'self-upload'
  | 'small-tus'
  | 'small-json'
  | 'small-put'
  | 'poll-nothing'
  | 'poll-progress'
  | 'poll-head'
  | 'head-of-live'
  | 'flat-tus'
  | 'flat-json'
  | 'last-tus'
  | 'last-json'
  | 'last-json-at-once'
  | 'whole-tus'
  | 'whole-json'
  | 'whole-json-at-once'

/** What a workload tells: figures by their names. `latencies` are ms of each request. */
export interface Told {
  readonly latencies?: readonly number[]
  readonly figures?: Readonly<Record<string, number>>
}

/** What the client's process prints. */
export interface Outcome extends Told {
  readonly seconds: number
  /** CPU seconds of the client itself. */
  readonly cpuSeconds: number
}
