/** What the server tells the page, in a meta element. */
export interface Settings {
  /** Where the JSON API is, below the page's own address. */
  readonly apiPrefix: string
  readonly tusPath: string
  /** How one logs in; `none` where nobody has to. */
  readonly auth: 'none' | 'jwt' | 'api-key'
}

/** Reads the settings of this page. */
export function readSettings(): Settings {
  const text = document.querySelector<HTMLMetaElement>('meta[name="holdfast"]')?.content ?? '{}'
  return JSON.parse(text) as Settings
}
