/**
 * A key of one upload, or of one owner. The id is its hash tag: all keys of an upload live in one slot of a Cluster, whatever
 * characters a stock tus server's ids are made of.
 *
 * @param name What the key holds: letters.
 */
export function uploadKey(prefix: string, id: string, name: string): string {
  // An empty tag would be none; `%` alone is no encoded text.
  const tag = id === '' ? '%' : id.replaceAll(/[%{}]/g, (char) => encodeURIComponent(char))
  return `${prefix}{${tag}}:${name}`
}
