// What the snippets of the documentation take for granted: the rest of an application. `globals.mjs` makes it.
import type { FastifyPluginAsync } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { FileRecord, Manifest } from 'holdfast'

declare global {
  /** A file that a person has chosen. */
  const file: File
  /** The application's table of files. */
  const db: { readonly files: { insert(file: FileRecord): Promise<void> } }
  /** Who an application's own session says that a request is from. */
  function userIdOf(request: IncomingMessage): Promise<string>
  /** What an application allows. */
  function allowed(upload: Manifest): boolean
  /** What @fastify/jwt is. */
  const jwt: FastifyPluginAsync
}

declare module 'fastify' {
  interface FastifyRequest {
    jwtVerify(): Promise<{ readonly sub: string }>
  }
}
