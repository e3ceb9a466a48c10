import { describe, expect, it, vi } from 'vitest'
import { UploadEvents } from '../../src/events.ts'
import { anUpload } from '../support/upload-samples.ts'

const upload = anUpload()

function makeEvents() {
  const onError = vi.fn<(error: unknown, where: string) => void>()
  return { events: new UploadEvents(onError), onError }
}

describe('the events of uploads', () => {
  it('reach every listener with the upload', () => {
    const { events, onError } = makeEvents()
    const one = vi.fn()
    const other = vi.fn()
    events.on('progress', one)
    events.once('progress', other)
    expect(events.emit('progress', upload)).toBe(true)
    expect(events.emit('progress', upload)).toBe(true)
    expect(one.mock.calls).toEqual([[upload], [upload]])
    expect(other.mock.calls).toEqual([[upload]])
    expect(onError).not.toHaveBeenCalled()
  })

  it('say whether anybody listens', () => {
    const { events } = makeEvents()
    expect(events.emit('created', upload)).toBe(false)
  })

  it('do no harm to whoever emits them when a listener throws, which is reported with the name of the event', () => {
    const { events, onError } = makeEvents()
    const thrown = new Error('a bug of the application')
    events.on('cancelled', () => {
      throw thrown
    })
    expect(events.emit('cancelled', upload)).toBe(true)
    expect(onError.mock.calls).toEqual([[thrown, expect.stringContaining('cancelled')]])
  })

  it('reach the other listeners also when one throws', () => {
    const { events, onError } = makeEvents()
    const other = vi.fn()
    events.on('expired', () => {
      throw new Error('a bug of the application')
    })
    events.on('expired', other)
    events.emit('expired', upload)
    expect(other).toHaveBeenCalledExactlyOnceWith(upload)
    expect(onError).toHaveBeenCalledOnce()
  })

  it('report a listener that rejects, instead of ending the process', async () => {
    const { events, onError } = makeEvents()
    const thrown = new Error('the database is down')
    // Handled here too, so that it cannot end this process.
    const rejected = Promise.reject(thrown)
    rejected.catch(() => {})
    const listener: () => unknown = () => rejected
    events.on('failed', listener)
    events.emit('failed', { ...upload, code: 'UPLOAD_FAILED' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(onError.mock.calls).toEqual([[thrown, expect.stringContaining('failed')]])
  })
})
