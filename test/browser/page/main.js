// The page of an application that uploads with Uppy: `?endpoint=` says where to, `parallel=` in how many parts, `golden`
// that a reload is survived.
import '@uppy/core/css/style.min.css'
import '@uppy/dashboard/css/style.min.css'
import Uppy from '@uppy/core'
import Dashboard from '@uppy/dashboard'
import GoldenRetriever from '@uppy/golden-retriever'
import Tus from '@uppy/tus'

const asked = new URLSearchParams(location.search)
const endpoint = asked.get('endpoint')
const parallelUploads = Number(asked.get('parallel') ?? 1)

globalThis.uppy = new Uppy()
  .use(Dashboard, { target: '#dashboard', inline: true })
  .use(Tus, { endpoint, retryDelays: [0, 500, 1000], parallelUploads })
if (asked.has('golden')) globalThis.uppy.use(GoldenRetriever)
