/**
 * Ends the process now. A call on a file that never returns (a dead network disk) would hold up an orderly exit for ever:
 * Node waits for its threads. So where one is under way the process kills itself, which harms nothing that is acknowledged.
 */
export function endProcess(code: number): never {
  const busy = process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
  if (busy) process.kill(process.pid, 'SIGKILL')
  process.exit(code)
}
