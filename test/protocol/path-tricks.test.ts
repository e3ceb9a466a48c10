import { startNode, startStandalone } from '../support/guarded-hosts.ts'
import { describePathTricks } from '../support/path-tricks-suite.ts'

describePathTricks('the server', startStandalone, { alwaysCompare: false })
describePathTricks('node:http', startNode, { alwaysCompare: true, every: 6 })
