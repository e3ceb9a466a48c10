import type { LoggerOptions } from 'pino'

/** What stands in the place of a secret. */
const HIDDEN = '[hidden]'

const HEADERS = ['authorization', 'Authorization', '["x-api-key"]', '["X-API-Key"]', 'cookie']

/** Tokens of uploads, wherever they stand. */
const UPLOAD_TOKEN = /hfu1_[\w-]{43}/g

/** Values of a query that let somebody in. In lines of JSON, where a quotation mark ends a value. */
const IN_QUERY = /([?&](?:access_token|api_?key|token)=)[^&#\s"\\]+/gi

/**
 * Keeps secrets out of the log, whoever writes to it. Nothing of ours logs headers or queries: this is for what a framework
 * or a driver puts into its errors and messages, such as Redis' clients the command that gave the password.
 */
export const WITHOUT_SECRETS: Pick<LoggerOptions, 'redact' | 'hooks'> = {
  redact: {
    paths: [
      ...['', 'req.', 'request.', 'err.request.', 'err.config.'].flatMap((owner) =>
        HEADERS.map((name) => `${owner}headers.${name}`.replace('.[', '[')),
      ),
      'err.command.args',
    ],
    censor: HIDDEN,
  },
  hooks: { streamWrite: hideInLine },
}

/** Most lines hold nothing that could be one: they are looked through for one character and one word. */
function hideInLine(line: string): string {
  const queriesHidden = line.includes('=') ? line.replaceAll(IN_QUERY, `$1${HIDDEN}`) : line
  return queriesHidden.includes('hfu1_') ? queriesHidden.replaceAll(UPLOAD_TOKEN, HIDDEN) : queriesHidden
}
