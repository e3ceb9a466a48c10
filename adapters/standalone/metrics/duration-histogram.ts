import { Histogram, type MetricObjectWithValues, type MetricValueWithName, type Registry } from 'prom-client'

/** What a histogram is. */
export interface DurationHistogramOptions {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  /** Upper bounds, ascending, s. */
  readonly buckets: readonly number[]
  readonly registry: Registry
}

/** What was measured under one set of labels. */
interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** How many fell into each bucket, those of the ones below it not included; the last is for what is beyond all. */
  readonly counts: number[]
  sum: number
  count: number
}

/** What is known by the values of the first so many labels. */
interface Node {
  readonly next: Map<string, Node>
  series: Series | null
}

/**
 * A histogram that is written much more often than it is read: some twenty times for a small file. What it tells is what
 * prom-client's own would; that checks, sorts and joins the labels of every observation, which takes ten times as long.
 */
export class DurationHistogram extends Histogram {
  readonly #options: DurationHistogramOptions
  readonly #root: Node = { next: new Map(), series: null }
  /** In the order in which they were first recorded. */
  readonly #series: Series[] = []
  /** What says of us all but the values. */
  readonly #empty: Histogram

  constructor(options: DurationHistogramOptions) {
    const { name, help, labelNames, buckets, registry } = options
    super({ name, help, labelNames, buckets: [...buckets], registers: [registry] })
    this.#options = options
    this.#empty = new Histogram({ name, help, labelNames, registers: [] })
  }

  /** Enters a duration in seconds. `values` are those of the labels, in their order. */
  record(seconds: number, ...values: readonly string[]): void {
    const { buckets } = this.#options
    const series = this.#seriesOf(values)
    let bucket = 0
    while (bucket < buckets.length && seconds > (buckets[bucket] ?? Infinity)) bucket += 1
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
    series.sum += seconds
    series.count += 1
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const values = this.#series.flatMap((series) => this.#valuesOf(series))
    return { ...(await this.#empty.get()), values }
  }

  /** What a registry of prom-client's asks for in place of `get` where there is such a method, for its own histograms. */
  getForPromString(): ReturnType<Histogram['get']> {
    return this.get()
  }

  #seriesOf(values: readonly string[]): Series {
    let node = this.#root
    // One after the other: a text that is put together has to be looked through to be looked up.
    for (const value of values) {
      let next = node.next.get(value)
      if (next === undefined) node.next.set(value, (next = { next: new Map(), series: null }))
      node = next
    }
    if (node.series === null) {
      const { labelNames, buckets } = this.#options
      const labels = Object.fromEntries(labelNames.map((name, index) => [name, values[index] ?? '']))
      node.series = { labels, counts: Array.from({ length: buckets.length + 1 }, () => 0), sum: 0, count: 0 }
      this.#series.push(node.series)
    }
    return node.series
  }

  #valuesOf({ labels, counts, sum, count }: Series): MetricValueWithName<string>[] {
    const { name, buckets } = this.#options
    let below = 0
    const ofBuckets = buckets.map((bound, index) => {
      below += counts[index] ?? 0
      return { metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: below }
    })
    return [
      ...ofBuckets,
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
}
