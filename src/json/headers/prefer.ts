/** The longest wait that is granted, seconds. */
export const MAX_WAIT_S = 60

/** RFC 7240 section 2: one preference up to the next comma; quoted strings may hold commas and semicolons. */
const PREFERENCE = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g
const WAIT = /^wait[ \t]*=[ \t]*(?:([0-9]+)|"([0-9]+)")[ \t]*(?:;.*)?$/is

/**
 * Reads `wait=N` out of `Prefer` (RFC 7240): whole seconds, at most {@link MAX_WAIT_S}; undefined where it is not asked
 * for. A preference is a wish and never an error: what cannot be read is passed over.
 */
export function parsePreferWait(text: string | undefined): number | undefined {
  for (const [preference] of text?.matchAll(PREFERENCE) ?? []) {
    const trimmed = preference.trim()
    if (!/^wait[ \t]*(?:[=;]|$)/i.test(trimmed)) continue
    const [, token, quoted] = WAIT.exec(trimmed) ?? []
    const seconds = token ?? quoted
    // "If any preference is specified more than once, only the first instance is to be considered."
    return seconds === undefined ? undefined : Math.min(Number(seconds), MAX_WAIT_S)
  }
  return undefined
}
