import type { IncomingMessage } from 'node:http'
import { UploadError, type Authenticate, type Caller, type Principal, type Uploads } from '../src/index.ts'
import { tokensOf } from './bearer.ts'
import { asUploadError, type FaceName } from './failures.ts'

/** Asks an application who sent the request at hand. */
export type Login = () => ReturnType<Authenticate>

/** A request, as far as it says who sends it. */
interface Asking {
  readonly face: FaceName
  readonly raw: IncomingMessage
  /** Absent: nobody is asked. */
  readonly authenticate: Login | undefined
}

/**
 * Says who sent a request whose path below the face's mount is `path`. What a tus server can do (OPTIONS) is told to
 * everyone; an OPTIONS that means another method by `X-HTTP-Method-Override` is that other method.
 * @throws UploadError `UNAUTHENTICATED`, and whatever the application throws
 */
export async function callerOf(uploads: Uploads, { face, raw, authenticate }: Asking, path: string): Promise<Caller> {
  if (authenticate === undefined) return { principal: null }
  const discovery = face === 'tus' && raw.method === 'OPTIONS' && raw.headers['x-http-method-override'] === undefined
  if (discovery) return { principal: null }
  // A finished file is no upload any more.
  const bearer = face === 'files' ? null : await bearerFor(uploads, raw, path)
  if (bearer?.hasEnded === false) return bearer.caller
  try {
    return { principal: await login(authenticate) }
  } catch (error) {
    // An application may have an error of its own for that.
    if (bearer !== null && isNobody(error)) return bearer.caller
    throw error
  }
}

async function bearerFor(uploads: Uploads, raw: IncomingMessage, path: string) {
  const id = path.split('/', 2)[1] ?? ''
  for (const text of tokensOf(raw)) {
    const bearer = await uploads.redeem(id, text)
    if (bearer !== null) return bearer
  }
  return null
}

async function login(authenticate: Login): Promise<Principal> {
  const principal = await authenticate()
  // Also where an application made a principal of nobody's id: what it creates would be everybody's.
  if (principal === null || principal === undefined || !principal.id) throw new UploadError('UNAUTHENTICATED')
  if (typeof principal.id !== 'string') throw new TypeError('holdfast: the `id` of a principal must be a text')
  return principal
}

function isNobody(error: unknown): boolean {
  return asUploadError(error).code === 'UNAUTHENTICATED'
}
