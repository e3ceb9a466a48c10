import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { defaultText, type Variable } from '../../../../adapters/standalone/variable.ts'
import { SECTIONS } from '../../../../adapters/standalone/variables.ts'

/** The variables of README's table, each with its default. */
async function readTable(): Promise<ReadonlyMap<string, string>> {
  const readme = await readFile(new URL('../../../../README.md', import.meta.url), 'utf8')
  const [, section = ''] = readme.split('\n## Configuration of the server\n')
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
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

test("README's table has the variables of --help, with the same defaults", async () => {
  const variables = SECTIONS.flatMap((section) => Object.entries<Variable<unknown>>(section.variables))
  const told = Object.fromEntries(variables.map(([name, variable]) => [name, defaultText(variable)]))
  expect(Object.fromEntries(await readTable())).toEqual(told)
})
