/** Something was written by a newer Holdfast than this one. It is left as it is. */
export class FormatVersionError extends Error {}

/**
 * Whoever reads what another version may have written asks this first: CONTRIBUTING.md says when a version is raised.
 * `what`: for the operator, such as "The manifest of upload …".
 * @throws FormatVersionError in one line that says which version was found, and what to do
 */
export function mustKnowVersion(what: string, found: unknown, known: number): void {
  if (found === known) return
  const version = typeof found === 'number' ? `version ${found}` : 'no version'
  throw new FormatVersionError(
    `${what} has ${version}, and this Holdfast knows version ${known}: run the version that wrote it, or a newer one. Nothing was changed.`,
  )
}
