import { startBehindGate, startReadingUser } from '../support/guarded-hosts.ts'
import { describePathTricks } from '../support/path-tricks-suite.ts'

describePathTricks('Fastify whose middleware says who it is', startReadingUser, { alwaysCompare: false, every: 6 })
describePathTricks('Fastify whose middleware is a gate, with the kindest router', startBehindGate, {
  alwaysCompare: false,
  every: 3,
})
