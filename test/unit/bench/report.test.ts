import { describe, expect, it } from 'vitest'
import { spreadText, table, withRegion } from '../../bench/report.ts'
import { goalTable, resultTable } from '../../bench/tables.ts'

describe('a region', () => {
  const text = ['# By hand', '<!-- npm run bench: disk -->', 'old', '<!-- end of disk -->', 'More by hand.', ''].join(
    '\n',
  )

  it('is replaced, and all around it stays', () => {
    const written = withRegion(text, 'disk', 'new\n')
    expect(written).toBe(text.replace('old', '\nnew\n'))
    expect(withRegion(written, 'disk', 'new')).toBe(written)
  })

  it('that is not there comes at the end', () => {
    const written = withRegion(text, 's3', 'first')
    expect(written).toBe(`${text}\n<!-- npm run bench: s3 -->\n\nfirst\n\n<!-- end of s3 -->\n`)
    expect(withRegion(written, 's3', 'second')).toBe(written.replace('first', 'second'))
  })

  it('takes dollar signs as they are', () => {
    expect(withRegion(text, 'disk', '$& $1')).toContain('\n$& $1\n')
  })

  it('that does not end is refused', () => {
    expect(() => withRegion('<!-- npm run bench: disk -->', 'disk', 'new')).toThrow('end of disk')
  })
})

describe('tables', () => {
  const results = new Map([
    ['ours', [{ speed: 20 }, { speed: 40 }, { speed: 29 }]],
    ['theirs', [{ speed: 10 }, { speed: 10 }, { speed: 10 }]],
    ['one round', [{ other: 1 }]],
  ])
  const goal = { ours: 'ours', theirs: 'theirs', figure: 'speed' }

  it('have a median with its spread, one value as it is, and a dash for none', () => {
    expect(spreadText([3, 1, 2], 1)).toBe('2.0 (1.0–3.0)')
    expect(spreadText([2.04], 1)).toBe('2.0')
    expect(spreadText([Number.NaN], 1)).toBe('–')
    expect(resultTable(results, [{ figure: 'speed', title: 'MiB/s', digits: 0 }])).toBe(
      table(
        ['', 'MiB/s'],
        [
          ['ours', '29 (20–40)'],
          ['theirs', '10 (10–10)'],
          ['one round', '–'],
        ],
      ),
    )
  })

  it('say of a goal whether the median of the ratios meets it', () => {
    const text = goalTable(results, [
      { ...goal, text: 'low', least: 2.9 },
      { ...goal, text: 'high', least: 2.91 },
      { ...goal, text: 'cheap', most: 2.8 },
      { ...goal, text: 'absent', theirs: 'nobody', least: 1 },
    ])
    expect(text.split('\n').slice(2)).toEqual([
      '| low | ≥ 2.9 | 2.90 (2.00–4.00) | yes |',
      '| high | ≥ 2.91 | 2.90 (2.00–4.00) | **no** |',
      '| cheap | ≤ 2.8 | 2.90 (2.00–4.00) | **no** |',
    ])
  })

  it('say nothing of goals where nobody is to be compared with', () => {
    expect(goalTable(results, [{ ...goal, text: 'absent', theirs: 'nobody', least: 1 }])).toBe('')
  })
})
