import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MAIN, pageFiles, TUS_JS } from './page-files.ts'
import { type PageFacts, uploadPage } from './page.ts'
import { STYLE } from './style.ts'

/** What the page is told, and where answers may send it. */
export interface PageOptions extends Pick<PageFacts, 'apiPrefix' | 'tusPath' | 'auth'> {
  /** Address under which clients reach the server, where answers name another than the page's own. */
  readonly publicUrl: string | null
}

/** `GET /`: a small page to try an upload on. All it needs is served here, as it was compiled. */
export async function registerPage(app: FastifyInstance, { publicUrl, ...facts }: PageOptions): Promise<void> {
  const { modules, others } = await pageFiles()
  const html = uploadPage({ ...facts, modules: modules.map(({ path }) => path), main: MAIN, tusJs: TUS_JS })
  const headers = { ...SECURITY, 'Content-Security-Policy': policy(publicUrl) }
  app.get('/', (request, reply) => send(request, reply.headers(headers), html, 'text/html; charset=utf-8'))
  for (const { path, type, read } of [...modules, ...others]) {
    app.get(`/${path}`, async (request, reply) => send(request, reply.headers(SECURITY), await read(), type))
  }
}

const SECURITY = {
  // Asked for again each time, and sent only when it has changed: an update of the server is an update of the page.
  'Cache-Control': 'no-cache',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
}

/** Nothing from anywhere but this server; the page's own style, known by its digest; no text is ever made HTML. */
function policy(publicUrl: string | null): string {
  const style = createHash('sha256').update(STYLE).digest('base64')
  const origins = publicUrl === null ? "'self'" : `'self' ${new URL(publicUrl).origin}`
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'sha256-${style}'`,
    `connect-src ${origins}`,
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}

function send(request: FastifyRequest, reply: FastifyReply, text: string, type: string): FastifyReply {
  const tag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
  void reply.header('ETag', tag).type(type)
  return request.headers['if-none-match'] === tag ? reply.code(304).send() : reply.send(text)
}
