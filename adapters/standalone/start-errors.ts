import type { Configuration } from './configuration.ts'

/** What the system says of the address, as the operator can mend it. */
export function listenError(
  error: unknown,
  { HOST, PORT, METRICS_PORT }: Pick<Configuration, 'HOST' | 'PORT' | 'METRICS_PORT'>,
): Error {
  const port = wantedPort(error) === METRICS_PORT ? `METRICS_PORT is ${METRICS_PORT}` : `PORT is ${PORT}`
  const host = `HOST is ${JSON.stringify(HOST)}`
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return explained(`${port}: something else listens there on ${HOST}; stop it or choose another`, error)
    case 'EACCES':
      return explained(`${port}: this user may not listen there; choose one from 1024 on`, error)
    case 'EADDRNOTAVAIL':
      return explained(`${host}: this machine does not have that address`, error)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return explained(`${host}: there is no such name`, error)
    default:
      return asError(error)
  }
}

/** What the system says of the directory, with the name of the variable. */
export function storageError(error: unknown, { DATA_DIR }: Pick<Configuration, 'DATA_DIR'>): Error {
  if (codeOf(error) === undefined) return asError(error)
  return explained(`DATA_DIR is ${JSON.stringify(DATA_DIR)}, and cannot be used: ${asError(error).message}`, error)
}

function wantedPort(error: unknown): unknown {
  return error instanceof Error && 'port' in error ? error.port : undefined
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'syscall' in error && 'code' in error ? error.code : undefined
}

function explained(message: string, cause: unknown): Error {
  return new Error(message, { cause })
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
