import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { OpenApiDocument } from '../../../src/json/index.ts'
import { openApiDocument, type OpenApiOptions } from '../../openapi-document.ts'
import { documentationPage } from './page.ts'
import { STYLE } from './style.ts'

const SECURITY = {
  'Cache-Control': 'no-cache',
  'X-Content-Type-Options': 'nosniff',
  // The page's own style, known by its digest, and nothing else from anywhere.
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
}

/**
 * `GET /documentation`: the API as a page to read, or as an OpenAPI document for whoever asks for JSON;
 * `GET /documentation/json`: always the document.
 */
export function registerDocumentation(app: FastifyInstance, options: OpenApiOptions): void {
  // Made when somebody first asks: most processes never are.
  let made: ReturnType<typeof make> | undefined
  const documentation = () => (made ??= make(openApiDocument(options)))
  const sendJson = (reply: FastifyReply): FastifyReply =>
    // Tools on other origins may read it: it tells nothing that a request without credentials could not find out.
    reply
      .headers({ ...SECURITY, 'Access-Control-Allow-Origin': '*' })
      .type('application/json; charset=utf-8')
      .send(documentation().json)

  app.get('/documentation/json', (_request, reply) => sendJson(reply))
  app.get('/documentation', (request, reply) => {
    void reply.header('Vary', 'Accept')
    if (prefersJson(request.headers.accept)) return sendJson(reply)
    return reply.headers(SECURITY).type('text/html; charset=utf-8').send(documentation().html)
  })
}

function make(document: OpenApiDocument) {
  return { json: JSON.stringify(document), html: documentationPage(document) }
}

/** Whether JSON is asked for, and HTML is not: browsers ask for HTML by name, curl for anything. */
function prefersJson(accept = ''): boolean {
  return /\bapplication\/(?:[\w.+-]+\+)?json\b/i.test(accept) && !/\btext\/html\b/i.test(accept)
}
