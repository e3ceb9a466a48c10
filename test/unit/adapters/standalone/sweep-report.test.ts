import { describe, expect, it } from 'vitest'
import { SweepReport } from '../../../../adapters/standalone/sweep-report.ts'
import type { SweepStep } from '../../../../src/index.ts'
import { newUpload } from '../../../../src/upload.ts'
import { testManifest } from '../../../support/storage-suite.ts'

const upload = { ...newUpload(testManifest()), expiresAt: 0 }
const { id } = upload.manifest
const step = (
  action: Extract<SweepStep, { type: 'upload' }>['action'],
  outcome: 'done' | 'busy' | 'failed',
): SweepStep => ({
  type: 'upload',
  upload,
  action,
  outcome,
})

describe('the report of a sweep', () => {
  it('has a line for each step, and counts them', () => {
    const report = new SweepReport(false)
    expect(report.line(step('expire', 'done'))).toBe(
      `expire    ${id}  "film.mp4", 0 of 250 bytes, begun 2023-11-14T22:13:20.000Z\n`,
    )
    expect(report.line(step('complete', 'busy'))).toMatch(/: left alone, somebody is at it\n$/)
    const leftover = {
      type: 'leftover',
      kind: 'multipart upload',
      name: 'holdfast/files/a/b',
      outcome: 'done',
    } as const
    expect(report.line(leftover)).toBe('abort     holdfast/files/a/b, a multipart upload that no upload names\n')
    expect(report.failures).toBe(0)
    expect(report.line(step('tell', 'failed'))).toMatch(/: FAILED\n$/)
    expect(report.line({ type: 'failure', id, error: new Error('no disk') })).toBe(`fail      ${id}  no disk\n`)
    expect(report.failures).toBe(2)
    expect(report.summary(7)).toBe('Done: 7 uploads looked at; expire 1, abort 1, left alone 1, FAILED 2.\n')
  })

  it('says that a dry run has changed nothing', () => {
    expect(new SweepReport(true).summary(1)).toBe('Dry run, nothing was changed: 1 upload looked at; nothing to do.\n')
  })
})
