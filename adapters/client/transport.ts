/** A request on its way. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | ArrayBuffer
  readonly signal: AbortSignal
  /** Told how many bytes of the body have left, where the transport can see it. */
  readonly onSent?: (bytes: number) => void
}

/** What came back, whatever its status. */
export interface HttpAnswer {
  readonly status: number
  readonly text: string
  header(name: string): string | null
}

/**
 * Sends a request.
 * @throws ResumableUploadError `NETWORK` where no answer came; the signal's reason where it was aborted
 */
export type Transport = (request: HttpRequest) => Promise<HttpAnswer>

/** Whether cookies and HTTP authentication go along, as `fetch` has it. */
export type Credentials = 'omit' | 'same-origin' | 'include'
