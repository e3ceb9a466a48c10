import { expect, it } from 'vitest'
import { stateDirectory } from '../../../../../adapters/standalone/upload/state-directory.ts'

it('is where the XDG specification says', () => {
  expect(stateDirectory({ XDG_STATE_HOME: '/s' }, '/home/ann')).toBe('/s/holdfast/uploads')
  expect(stateDirectory({}, '/home/ann')).toBe('/home/ann/.local/state/holdfast/uploads')
  // "If an implementation encounters a relative path […] it should consider the path invalid and ignore it."
  expect(stateDirectory({ XDG_STATE_HOME: 's' }, '/home/ann')).toBe('/home/ann/.local/state/holdfast/uploads')
})
