import { expect, it } from 'vitest'
import { SERVER_CODES } from '../../../../adapters/client/error-codes.ts'
import { ERRORS } from '../../../../src/errors.ts'

/** Of the tus face, or of downloads, which this client does not use. */
const OTHERS = ['OFFSET_MISMATCH', 'PRECONDITION_FAILED', 'TUS_VERSION_MISMATCH', 'RANGE_NOT_SATISFIABLE']

it('the client knows every code of the JSON API', () => {
  expect([...SERVER_CODES, ...OTHERS].toSorted()).toEqual(Object.keys(ERRORS).toSorted())
})
