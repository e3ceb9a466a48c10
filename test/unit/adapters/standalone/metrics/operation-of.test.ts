import { describe, expect, it } from 'vitest'
import { operationOf, type Mounts } from '../../../../../adapters/standalone/metrics/operation-of.ts'

const MOUNTS: Mounts = new Map([
  ['tus', '/files'],
  ['json', '/api/v1/uploads'],
  ['files', '/api/v1/files'],
])
const ID = '6f1d3b0e-0f0c-4f5e-9d3a-3a3a0c8f7b11'

describe('the operation of a request', () => {
  it.each([
    ['POST', '/files', 'tus', 'create'],
    ['PATCH', `/files/${ID}`, 'tus', 'append'],
    ['HEAD', `/files/${ID}`, 'tus', 'offset'],
    ['OPTIONS', '/files', 'tus', 'options'],
    ['POST', '/api/v1/uploads/initiate', 'json', 'initiate'],
    ['POST', `/api/v1/uploads/${ID}/chunks`, 'json', 'chunk'],
    ['GET', '/api/v1/uploads', 'json', 'list'],
    ['GET', `/api/v1/uploads/${ID}`, 'json', 'progress'],
    ['GET', `/api/v1/uploads/${ID}/progress`, 'json', 'progress'],
    ['POST', `/api/v1/uploads/${ID}/complete`, 'json', 'complete'],
    ['DELETE', `/api/v1/uploads/${ID}`, 'json', 'cancel'],
    ['OPTIONS', `/api/v1/uploads/${ID}`, 'json', 'options'],
    ['GET', `/api/v1/files/${ID}/content`, 'files', 'download'],
    ['GET', `/api/v1/files/${ID}`, 'files', 'record'],
  ])('of %s %s is %s %s', (method, path, face, operation) => {
    expect(operationOf(method, path, MOUNTS)).toEqual({ face, operation })
  })

  it.each([
    ['GET', '/favicon.ico', 'other'],
    ['GET', '/filesystem', 'other'],
    ['BREW', `/files/${ID}`, 'tus'],
    ['GET', `/api/v1/uploads/${ID}/secrets`, 'json'],
  ])('of %s %s is no new name', (method, path, face) => {
    expect(operationOf(method, path, MOUNTS)).toEqual({ face, operation: 'other' })
  })
})
