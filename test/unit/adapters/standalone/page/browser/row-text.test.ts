import { expect, it } from 'vitest'
import { rowText, timeText } from '../../../../../../adapters/standalone/page/browser/row-text.ts'

const progress = { uploadedBytes: 512, bytesPerSecond: 256, secondsRemaining: 2, trouble: '' }

it('a row says how far it is, how fast, and how long it takes', () => {
  expect(rowText({ ...progress, state: 'uploading' }, 1024)).toBe(
    '50 % · 512 bytes of 1.0 KiB · 256 bytes/s · 2 s left',
  )
  expect(rowText({ ...progress, state: 'uploading', bytesPerSecond: 0, secondsRemaining: null }, 1024)).toBe(
    '50 % · 512 bytes of 1.0 KiB',
  )
  expect(rowText({ ...progress, state: 'waiting', trouble: 'No answer came from x.' }, 1024)).toBe(
    '50 % · 512 bytes of 1.0 KiB · Trying again. No answer came from x.',
  )
  expect(rowText({ ...progress, state: 'checking' }, 1024)).toBe('Comparing the file with the 50 % that are there…')
  expect(rowText({ ...progress, state: 'paused', uploadedBytes: 0 }, 0)).toBe('100 % · 0 bytes of 0 bytes · Paused')
})

it('times are said as people say them', () => {
  expect([0.2, 59, 61, 3599, 7500].map(timeText)).toEqual(['1 s', '59 s', '1 min', '1 h 0 min', '2 h 5 min'])
})
