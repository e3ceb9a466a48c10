import type { Reporter, TestModule, TestSuite } from 'vitest/node'

/**
 * Prints `N passed, N failed` (and `, N skipped` where there are any) as the last line of a run, for readers of CI
 * logs that do not know vitest's own summary. It never touches the exit code.
 *
 * What fails outside a test (an import, a hook, an unhandled rejection, a worker that died) counts as one failure
 * each, so that the line never says "0 failed" of a run that vitest calls failed.
 */
export default class CiReporter implements Reporter {
  #line: string | undefined

  onInit(): void {
    // On exit, because vitest still writes (coverage, close timeouts) after the last reporter hook has returned.
    process.once('exit', (code) => {
      const line = this.#line ?? (code === 0 ? '0 passed, 0 failed' : '0 passed, 1 failed')
      process.stdout.write(`\n${line}\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0
    let failed = unhandledErrors.length
    let skipped = 0
    for (const module of modules) {
      failed += outsideErrors(module)
      for (const suite of module.children.allSuites()) failed += outsideErrors(suite)
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        else if (state === 'skipped') skipped += 1
        // "pending" after the end: its worker died before it could report.
        else failed += 1
      }
    }
    this.#line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
  }
}

function outsideErrors(of: TestModule | TestSuite): number {
  return of.errors().length > 0 ? 1 : 0
}
