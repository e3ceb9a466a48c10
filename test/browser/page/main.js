// The page of an application that uploads with Uppy: `?endpoint=` says where to.
import '@uppy/core/css/style.min.css'
import '@uppy/dashboard/css/style.min.css'
import Uppy from '@uppy/core'
import Dashboard from '@uppy/dashboard'
import Tus from '@uppy/tus'

const endpoint = new URLSearchParams(location.search).get('endpoint')

globalThis.uppy = new Uppy()
  .use(Dashboard, { target: '#dashboard', inline: true })
  .use(Tus, { endpoint, retryDelays: [0, 500, 1000] })
