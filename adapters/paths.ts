/**
 * Checks where a face is to be mounted.
 * @throws TypeError naming the option
 */
export function checkMountPath(option: string, path: string): string {
  // What routers read as parameters, wildcards or escapes has no place in it.
  if (/^(?:\/[A-Za-z0-9._~!$&'(),;=@-]+)+$/.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path)) return path
  throw new TypeError(
    `holdfast: \`${option}\` must be a path such as /files, without a slash at the end; it is '${path}'`,
  )
}

/**
 * Checks the address under which clients reach the server, and drops a slash at its end.
 * @throws TypeError naming the option
 */
export function checkPublicUrl(option: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  const fits =
    url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === ''
  if (fits) return text.replace(/\/+$/, '')
  throw new TypeError(`holdfast: \`${option}\` must be an http or https address without a query; it is '${text}'`)
}

/** Where the finished files are: beside the JSON API, or below it where that place is taken. */
export function filesBeside(apiPrefix: string, tusPath: string): string {
  const beside = apiPrefix.replace(/[^/]+$/, 'files')
  return beside === apiPrefix || beside === tusPath ? `${apiPrefix}/files` : beside
}

/** The path of a request's target, not decoded: without the query, and without the scheme and host of an absolute form. */
export function pathOfTarget(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '') || '/'
}

/** Whether a path is that of the mount, or below it. */
export function isUnder(path: string, mount: string): boolean {
  return path.startsWith(mount) && (path.length === mount.length || path[mount.length] === '/')
}

/**
 * The path below a mount, with the leading slash. As many segments are dropped as the mount has, whatever they are: a
 * router that folds case, escapes or doubled slashes has decided that they match.
 */
export function pathBelow(path: string, mount: string): string {
  let at = 0
  for (let left = mount.split('/').length - 1; left > 0; left -= 1) {
    while (path[at] === '/') at += 1
    while (at < path.length && path[at] !== '/') at += 1
  }
  return path.slice(at) || '/'
}
