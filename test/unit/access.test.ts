import { describe, expect, it } from 'vitest'
import { ownerMay } from '../../src/access.ts'

const ann = { id: 'ann' }

describe('by default', () => {
  it('an upload is its owner’s', () => {
    expect(ownerMay(ann, 'write', { id: 'u', owner: 'ann' })).toBe(true)
    expect(ownerMay({ id: 'eve' }, 'read', { id: 'u', owner: 'ann' })).toBe(false)
    expect(ownerMay(null, 'download', { id: 'u', owner: 'ann' })).toBe(false)
  })

  it('an upload that nobody owns is whose who knows its id', () => {
    expect(ownerMay(null, 'cancel', { id: 'u', owner: null })).toBe(true)
    expect(ownerMay(ann, 'cancel', { id: 'u', owner: null })).toBe(true)
  })

  it('anybody who was let in may create', () => {
    expect(ownerMay(ann, 'create', null)).toBe(true)
    expect(ownerMay(null, 'create', null)).toBe(true)
  })
})
