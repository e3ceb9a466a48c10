import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { defaultText, type Variable } from '../../../../adapters/standalone/variable.ts'
import { SECTIONS } from '../../../../adapters/standalone/variables.ts'

/** The variables of the documented table, each with its default. */
async function readTable(): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| `'))
  const pairs = rows.flatMap((row) => {
    const [, names = '', defaults = ''] = row.split('|').map((cell) => cell.trim())
    const values = defaults.split(', ').map((text) => text.replaceAll('`', ''))
    const variables = [...names.matchAll(/`([A-Z0-9_]+)`/g)].map(([, name = '']) => name)
    expect(values, row).toHaveLength(variables.length)
    return variables.map((name, n) => [name, values[n] ?? ''] as const)
  })
  expect(new Set(pairs.map(([name]) => name)).size).toBe(pairs.length)
  return new Map(pairs)
}

test('the documented table has the variables of --help, with the same defaults', async () => {
  const variables = SECTIONS.flatMap((section) => Object.entries<Variable<unknown>>(section.variables))
  const told = Object.fromEntries(variables.map(([name, variable]) => [name, defaultText(variable)]))
  expect(Object.fromEntries(await readTable())).toEqual(told)
})
