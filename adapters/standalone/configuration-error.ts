/** A command that is refused. The message is one line, for the operator. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}
