// Processes that end with this one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const children = new Map()

/** Starts a process; `lines` is what it writes to standard output. */
export function start(name, command, args, options) {
  // A group of its own: Ctrl-C in a terminal reaches this process alone, which ends the others in their order.
  const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
    .catch((error) => console.error(`${name}: ${error.message}`))
    .then(() => void children.delete(name))
  children.set(name, { child, ended })
  return { pid: child.pid, ended, lines: createInterface({ input: child.stdout }) }
}

/** Ends those of the chosen names, and waits until they have. */
export async function endAll(isChosen) {
  const chosen = [...children].filter(([name]) => isChosen(name)).map(([, running]) => running)
  for (const { child } of chosen) child.kill('SIGTERM')
  await Promise.all(chosen.map(({ ended }) => ended))
}

// Where this process ends in another way.
process.on('exit', () => {
  for (const { child } of children.values()) if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
})
