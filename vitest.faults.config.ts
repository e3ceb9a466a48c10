/** `npm run faults`: the campaigns at their full length, and every planted defect. */
import { defineConfig, mergeConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default mergeConfig(
  base,
  defineConfig({
    test: {
      include: ['test/faults/campaign.test.ts', 'test/faults/campaign-plants.test.ts', 'test/faults/load.test.ts'],
      // One after the other: each has the machine to itself.
      fileParallelism: false,
      env: { FAULTS: 'all' },
    },
  }),
)
