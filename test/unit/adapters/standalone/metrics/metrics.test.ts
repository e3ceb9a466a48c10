import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createMetrics } from '../../../../../adapters/standalone/metrics/metrics.ts'
import { ERRORS } from '../../../../../src/index.ts'
import { registerStats } from '../../../../../adapters/standalone/metrics/stats-metrics.ts'

const STATS = {
  activeUploads: 1,
  bodies: { active: 2, waiting: 3 },
  received: { append: 4, chunk: 5 },
  memory: { budget: 6, reserved: 7 },
  spool: { budget: 8, reserved: 9 },
  deliveries: 15,
  sweeps: { done: 10, failed: 11, visited: 12, lastMs: 13_000, lastAt: 14_000 },
}

function allMetrics() {
  const metrics = createMetrics()
  registerStats(metrics, { stats: () => STATS })
  return metrics
}

const readText = (path: string): Promise<string> => readFile(new URL(`../../../../../${path}`, import.meta.url), 'utf8')

async function ownMetrics(): Promise<readonly string[]> {
  const metrics = await allMetrics().registry.getMetricsAsJSON()
  return metrics.map(({ name }) => name).filter((name) => name.startsWith('holdfast_'))
}

test('the documented table has every metric and nothing more', async () => {
  const [, section = ''] = (await readText('docs/operations.md')).split('\n## Metrics\n')
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  const told = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([a-z0-9_]+)`/g)].map(([, name]) => name))
  expect(new Set(told)).toEqual(new Set(await ownMetrics()))
  expect(new Set(told).size).toBe(told.length)
})

test('the dashboard asks for metrics that there are, and for every one of ours', async () => {
  const dashboard = await readText('examples/grafana/holdfast.json')
  const there = new Set((await allMetrics().registry.getMetricsAsJSON()).map(({ name }) => name))
  const asked = new Set(
    [...dashboard.matchAll(/\b((?:holdfast|process|nodejs)_[a-z0-9_]+)/g)].map(([, name = '']) =>
      there.has(name) ? name : name.replace(/_(?:bucket|count|sum)$/, ''),
    ),
  )
  expect([...asked].filter((name) => !there.has(name))).toEqual([])
  expect((await ownMetrics()).filter((name) => !asked.has(name))).toEqual([])
})

test('the runbook asks for metrics and codes that there are', async () => {
  const runbook = await readText('RUNBOOK.md')
  const there = new Set((await allMetrics().registry.getMetricsAsJSON()).map(({ name }) => name))
  const asked = [...runbook.matchAll(/\b((?:holdfast|process|nodejs)_[a-z0-9_]+)/g)].map(([, name = '']) => name)
  expect(asked.length).toBeGreaterThan(10)
  expect(asked.filter((name) => !there.has(name))).toEqual([])
  const codes = [...runbook.matchAll(/`?code="([A-Z_]+)"/g)].map(([, code = '']) => code)
  expect(codes.filter((code) => !(code in ERRORS))).toEqual([])
})

test('what is read off the core is the same however often it is asked', async () => {
  const { registry } = allMetrics()
  const first = await registry.getSingleMetricAsString('holdfast_received_bytes_total')
  expect(first).toContain('holdfast_received_bytes_total{face="tus"} 4')
  expect(first).toContain('holdfast_received_bytes_total{face="json"} 5')
  expect(await registry.getSingleMetricAsString('holdfast_received_bytes_total')).toBe(first)
  expect(await registry.getSingleMetricAsString('holdfast_sweep_duration_seconds')).toContain('seconds 13')
})
