import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['./test/support/services/global-setup.ts'],
    globals: false,
    pool: 'forks',
    fileParallelism: true,
    maxWorkers: 2,
    // What hangs is ended; what a busy machine makes slow is not.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/support/ci-reporter.ts'],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts', 'adapters/**/*.ts'],
      reporter: ['text-summary', 'html'],
    },
  },
})
