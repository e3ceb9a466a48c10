import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'

const read = (path: string): Promise<string> => readFile(new URL(`../../../../${path}`, import.meta.url), 'utf8')

it('the documents name every option of the client, and no other', async () => {
  const [text, options] = await Promise.all([read('docs/clients.md'), read('adapters/client/options.ts')])
  const [, table = ''] = /^\| option \|.*?\n(.*?)\n\n/ms.exec(text) ?? []
  const rows = [...table.matchAll(/^\| (`[^|]+) \|/gm)].map(([, names = '']) => names)
  const named = rows.flatMap((names) => [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name))
  const [, body = ''] = /interface ResumableUploaderOptions \{(.*?)\n\}/s.exec(options) ?? []
  const there = [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name = '']) => name)
  expect(there.length).toBeGreaterThan(10)
  expect(named.toSorted()).toEqual(there.toSorted())
})
