import { expect, test } from 'vitest'
import { helpText } from '../../../../adapters/standalone/help.ts'
import { defaultText, flagOf } from '../../../../adapters/standalone/variable.ts'
import { SECTIONS } from '../../../../adapters/standalone/variables.ts'

test('tells of every variable by its flag, with its default', () => {
  const help = helpText().replaceAll(/\n {34}/g, ' ')
  for (const { title, variables } of SECTIONS) {
    expect(help).toContain(`\n${title}:\n`)
    for (const [name, variable] of Object.entries(variables)) {
      const row = help.split('\n').find((line) => line.startsWith(`  --${flagOf(name)} ${variable.value} `))
      expect(row, name).toContain(variable.about)
      expect(row, name).toContain(`[default: ${defaultText(variable)}]`)
    }
  }
})

test('fits on a terminal of 100 columns', () => {
  for (const line of helpText().split('\n')) expect(line.length, line).toBeLessThanOrEqual(100)
})
