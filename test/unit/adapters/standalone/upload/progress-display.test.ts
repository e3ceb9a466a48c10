import { describe, expect, it } from 'vitest'
import { ResumableUploadError, type UploadProgress } from '../../../../../adapters/client/index.ts'
import { ProgressDisplay } from '../../../../../adapters/standalone/upload/progress-display.ts'
import { progressLine, progressLog } from '../../../../../adapters/standalone/upload/progress-text.ts'
import { fileAddress, goOnText } from '../../../../../adapters/standalone/upload/result-text.ts'

const progress: UploadProgress = {
  state: 'uploading',
  trouble: null,
  sessionId: 'an-id',
  fileName: 'film.mp4',
  totalSize: 100 * 1024 ** 2,
  uploadedBytes: 50 * 1024 ** 2,
  percentComplete: 50,
  chunksUploaded: 10,
  totalChunks: 20,
  status: 'uploading',
  bytesPerSecond: 3 * 1024 ** 2,
  secondsRemaining: 17,
  estimatedTimeRemaining: '00:00:17',
}
const waiting: UploadProgress = {
  ...progress,
  state: 'waiting',
  trouble: new ResumableUploadError('NETWORK', 'No answer came from x.'),
}

describe('the progress of a command', () => {
  it('is one line that fits the terminal', () => {
    expect(progressLine(progress, 100)).toBe(
      'film.mp4  ████████████░░░░░░░░░░░░ 50 %  50.0 MiB of 100.0 MiB  3.0 MiB/s  00:00:17 left',
    )
    expect(progressLine({ ...progress, fileName: 'a very long name of a film.mp4' }, 94)).toMatch(/^….*film\.mp4 {2}█/)
    for (const columns of [1, 10, 40, 80, 200]) {
      for (const one of [progress, waiting]) expect(progressLine(one, columns).length).toBeLessThan(columns)
    }
  })

  it('says why it waits', () => {
    expect(progressLog(waiting)).toBe('film.mp4: 50 % of 100.0 MiB, trying again: No answer came from x.')
  })

  it('lets no name move the cursor', () => {
    const line = progressLine({ ...progress, fileName: '\u001b[2Jx\r\ny\u009b' }, 100)
    // oxlint-disable-next-line no-control-regex
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  })

  it('paints a terminal ten times a second, and clears the line', () => {
    let now = 0
    const written: string[] = []
    const display = new ProgressDisplay({ isTTY: true, columns: 100, write: (text) => written.push(text) }, () => now)
    for (; now < 2000; now += 20) display.show(progress)
    expect(written).toHaveLength(20)
    for (const text of written) expect(text.startsWith('\r\u001b[2Kfilm.mp4')).toBe(true)
    now -= 10
    display.show(waiting)
    expect(written).toHaveLength(21)
    display.clear()
    expect(written.at(-1)).toBe('\r\u001b[2K')
  })

  it('writes a line to a log now and then, and at once when it waits', () => {
    let now = 0
    const written: string[] = []
    const display = new ProgressDisplay({ write: (text) => written.push(text) }, () => now)
    for (; now <= 10_000; now += 100) display.show(progress)
    expect(written).toHaveLength(2)
    display.show(waiting)
    display.show(waiting)
    display.show({ ...progress, state: 'done' })
    display.clear()
    expect(written).toHaveLength(3)
  })

  it('says how to go on, in a way that a shell understands', () => {
    const text = goOnText({ files: ['a.mp4', "b's film.mp4"], to: 'http://127.0.0.1:1080/' })
    expect(text).toContain(String.raw`holdfast upload a.mp4 'b'\''s film.mp4' --to http://127.0.0.1:1080/`)
  })

  it('knows where a finished file is', () => {
    const file = { id: 'f', name: 'a', size: 1, contentType: '', uploadedAt: '', checksum: null } as const
    const uploaded = { ...file, status: 'uploaded', checksumType: 'FULL_OBJECT' } as const
    const at = (to: string, prefix: string): string => fileAddress(to, prefix, uploaded)
    expect(at('http://x/', '/api/v1/uploads')).toBe('http://x/api/v1/files/f/content')
    expect(at('http://x/base', '/up')).toBe('http://x/base/files/f/content')
    expect(fileAddress('http://x/', '/up', { ...uploaded, url: 'https://cdn/f' })).toBe('https://cdn/f')
  })
})
