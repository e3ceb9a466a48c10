import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { availableParallelism, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../support/services/free-port.ts'
import { mortalFolder, removeFolder, startMortal } from '../../support/services/mortal-process.ts'
import { searchPath } from '../../support/services/search-path.ts'
import type { Subject } from '../subject.ts'

/** nginx with WebDAV's PUT, one worker for each core: the least that a server must do to have a body on disk. */
export function nginxPut(command: readonly string[]): Subject {
  return {
    start: async ({ folder }) => {
      const [port, own] = [await freePort(), await mortalFolder('bench-nginx')]
      await Promise.all(['files', 'bodies'].map((name) => mkdir(join(folder, name))))
      await writeFile(join(own, 'nginx.conf'), configuration(folder, own, port))
      // Its workers outlive a master that is killed, and no other: it is asked to end when this process does.
      const [setpriv] = searchPath(['setpriv'], process.env)
      const asked = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM']
      const nginx = startMortal([...asked, ...command, '-p', own, '-c', 'nginx.conf'], join(own, 'log'))
      while (!(await listens(port))) {
        if (!nginx.running()) throw new Error(`nginx does not start:\n${nginx.lastWords()}`)
        await delay(20)
      }
      return {
        url: `http://127.0.0.1:${port}`,
        pids: [nginx.pid],
        stop: async () => {
          process.kill(nginx.pid, 'SIGTERM')
          while (nginx.running()) await delay(20)
          await removeFolder(own)
        },
      }
    },
  }
}

function configuration(folder: string, own: string, port: number): string {
  const others = ['proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${own}/${name};`)
  // Started by root it would work as somebody else, whom the folder does not let in.
  const { uid, username } = userInfo()
  return `daemon off;${uid === 0 ? `\nuser ${username};` : ''}
worker_processes ${availableParallelism()};
pid ${own}/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path ${folder}/bodies;
  keepalive_requests 1000000;
  ${others.join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    location /files/ {
      root ${folder};
      dav_methods PUT;
    }
  }
}
`
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
