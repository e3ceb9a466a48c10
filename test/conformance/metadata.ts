/** The pairs of an `Upload-Metadata` header, values as they are encoded; null where it is malformed. */
export function metadataPairs(header: string): ReadonlyMap<string, string> | null {
  const pairs = new Map<string, string>()
  for (const pair of header.split(',')) {
    // Some servers separate pairs by a comma and a space.
    const [key = '', value = '', ...rest] = pair.replace(/^ /, '').split(' ')
    if (key === '' || rest.length > 0 || pairs.has(key) || !isBase64(value)) return null
    pairs.set(key, value)
  }
  return pairs
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[\dA-Za-z+/]*={0,2}$/.test(text)
}
