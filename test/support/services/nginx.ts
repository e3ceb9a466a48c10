/**
 * An nginx of a test's own, as the example configures it.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ask } from './ask.ts'
import { freePort } from './free-port.ts'
import { mortalFolder, removeFolder, startMortal } from './mortal-process.ts'
import { PROJECT_ROOT } from './project-root.ts'

const EXAMPLE = join(PROJECT_ROOT, 'examples/nginx')

const asked = await ask('nginx')

/** Like `describe`; where there is no nginx, its tests are reported as not run. */
export const describeWithNginx = asked.describe

/** An nginx in front of something. */
export interface Nginx {
  /** HTTP/1.1, and HTTP/2 of those who know. */
  readonly url: string
  /** HTTP/1.1 and HTTP/2 over TLS. */
  readonly secureUrl: string
  /** The certificate, which is its own authority. */
  readonly ca: Buffer
  stop(): Promise<void>
}

/**
 * Starts nginx with the example's files, other ports in the place of theirs, and waits until it listens. `locations` come
 * before the example's own.
 */
export async function startNginx(upstreamPort: number, { locations = '' } = {}): Promise<Nginx> {
  const folder = await mortalFolder('nginx')
  const [port, securePort] = [await freePort(), await freePort()]
  await cp(join(EXAMPLE, 'nginx.conf'), join(folder, 'nginx.conf'))
  const written = await readFile(join(EXAMPLE, 'holdfast.conf'), 'utf8')
  const ports: Readonly<Record<string, number>> = { 1080: upstreamPort, 8080: port, 8443: securePort }
  const placed = written.replaceAll(/(?<=127\.0\.0\.1:)\d+/g, (documented) => String(ports[documented]))
  await writeFile(
    join(folder, 'holdfast.conf'),
    placed.replace('    location ', (first) => locations + first),
  )
  await mkdir(join(folder, 'tmp'))
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(folder, 'key.pem')]
  const certificate = ['-out', join(folder, 'certificate.pem'), '-subj', '/CN=localhost']
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  // One that was only unpacked has no configuration of its own.
  await writeFile(join(folder, 'openssl.cnf'), '[req]\ndistinguished_name = name\n[name]\n')
  const [openssl = '', ...before] = asked.service().openssl
  const request = ['req', '-x509', '-days', '2', '-config', join(folder, 'openssl.cnf')]
  await promisify(execFile)(openssl, [...before, ...request, ...key, ...certificate, ...names])

  // One process, so that nothing is left of it whoever ends it.
  const args = ['-p', folder, '-c', 'nginx.conf', '-g', 'master_process off;']
  const nginx = startMortal([...asked.service().nginx, ...args], join(folder, 'log'))
  while (!(await listens(port))) {
    if (!nginx.running()) throw new Error(`nginx does not start:\n${nginx.lastWords()}`)
    await delay(20)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    secureUrl: `https://127.0.0.1:${securePort}`,
    ca: await readFile(join(folder, 'certificate.pem')),
    stop: async () => {
      await nginx.kill()
      await removeFolder(folder)
    },
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
