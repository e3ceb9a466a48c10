import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** The token of `Authorization: Bearer …` (RFC 6750), or null where there is none: another scheme is none. */
export function bearerOf({ authorization = '' }: IncomingHttpHeaders): string | null {
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? null
}

/** The texts of a request that may be the token of an upload: the bearer's, and that of `?token=`. */
export function tokensOf({ headers, url = '' }: IncomingMessage): readonly string[] {
  const query = /\?([^#]*)/.exec(url)?.[1]
  const inQuery = query === undefined ? null : new URLSearchParams(query).get('token')
  return [bearerOf(headers), inQuery].filter((text) => text !== null)
}
