import { Histogram, Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { DurationHistogram } from '../../../../../adapters/standalone/metrics/duration-histogram.ts'
import { Random, runSeed } from '../../../../support/byte-source.ts'

const KIND = { name: 'taken_seconds', help: 'Time taken.', labelNames: ['call', 'outcome'], buckets: [0.001, 0.01, 1] }

it('tells what a histogram of prom-client tells', async () => {
  const random = new Random(runSeed())
  const ours = new Registry()
  const theirs = new Registry()
  const recorded = new DurationHistogram({ ...KIND, registry: ours })
  const observed = new Histogram({ ...KIND, registers: [theirs] })
  expect(await ours.metrics()).toBe(await theirs.metrics())
  for (let times = 0; times < 1000; times += 1) {
    const call = random.pick(['read', 'write', 'a "quoted" one'] as const)
    const outcome = random.pick(['ok', 'error'] as const)
    // Exact in binary, so that sums are the same; bounds are hit as well as missed.
    const seconds = random.pick([0, 0.001, 0.0009765625, 0.01, 0.5, 1, 2, 1024] as const)
    recorded.record(seconds, call, outcome)
    observed.observe({ call, outcome }, seconds)
  }
  expect(await ours.metrics()).toBe(await theirs.metrics())
})

it('keeps apart labels that are the same when they are put together', async () => {
  const registry = new Registry()
  const recorded = new DurationHistogram({ ...KIND, registry })
  recorded.record(1, 'a', 'bc')
  recorded.record(1, 'ab', 'c')
  expect(await registry.metrics()).toContain('taken_seconds_count{call="a",outcome="bc"} 1')
  expect(await registry.metrics()).toContain('taken_seconds_count{call="ab",outcome="c"} 1')
})
