// What a load balancer does: every request goes to the next node, whatever came before it.
import { createServer, request as send } from 'node:http'

/** Headers of a connection, not of the request. (A node needs no leave to be sent a body.) */
const OF_THE_CONNECTION = ['connection', 'expect', 'keep-alive', 'proxy-connection', 'te', 'upgrade']

/** A server that passes requests on to nodes in turn. `log` is told of every answer, and whose it is. */
export function createProxy(nodes, log) {
  let turn = 0
  // An upload takes as long as it takes.
  return createServer({ requestTimeout: 0 }, (request, response) => forward(request, response, nodes.length))

  function forward(request, response, tries) {
    const alive = nodes.filter((node) => node.alive)
    const node = alive[turn++ % alive.length]
    if (node === undefined || tries === 0) return refuse(response)
    const { method, url: path } = request
    const to = { host: '127.0.0.1', port: node.port, agent: false }
    const upstream = send({ ...to, method, path, headers: passedOn(request.headers) })
    let connected = false
    upstream.once('socket', (socket) => {
      socket.once('connect', () => {
        connected = true
        request.pipe(upstream) // as fast as the node takes it: nothing is gathered here
      })
    })
    upstream.once('response', (answer) => {
      log(`${node.name}: ${method} ${path} ${answer.statusCode}`)
      response.writeHead(answer.statusCode, passedOn(answer.headers))
      answer.once('error', () => response.destroy())
      answer.pipe(response)
    })
    upstream.on('error', () => {
      if (connected || response.destroyed)
        response.destroy() // in mid-body: the client resumes, on another node
      else forward(request, response, tries - 1)
    })
    response.once('close', () => upstream.destroy()) // the client has its answer, or has gone
  }
}

function refuse(response) {
  response.writeHead(503, { 'Content-Type': 'text/plain', 'Retry-After': '1' })
  response.end('There is no node.\n')
}

function passedOn(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_THE_CONNECTION.includes(name)))
}
