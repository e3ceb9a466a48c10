import { type HttpRequest, type HttpResponse, Upload, type UploadOptions } from 'tus-js-client'

/** A request that tus-js-client sent, and what was answered. */
interface SeenRequest {
  readonly method: string
  /** `Upload-Offset` as it was sent, or null. */
  readonly offset: number | null
  /** Null where no answer came. */
  status: number | null
  /** `Upload-Offset` as it was answered, or null. */
  answered: number | null
}

/** An upload by tus-js-client, with its requests. */
export interface TusJsUpload {
  readonly upload: Upload
  readonly requests: readonly SeenRequest[]
  /** Starts it; resolves with the upload's address at its success and rejects at its failure. */
  readonly run: () => Promise<string>
}

/** What tus-js-client takes in Node. */
export type TusJsSource = ConstructorParameters<typeof Upload>[0]

/** Prepares an upload by tus-js-client that notes what it sends. */
export function tusJsUpload(source: TusJsSource, options: UploadOptions): TusJsUpload {
  const requests: SeenRequest[] = []
  const underWay = new Map<HttpRequest, SeenRequest>()
  let settle: { resolve(url: string): void; reject(error: unknown): void } | null = null
  const upload = new Upload(source, {
    retryDelays: null,
    ...options,
    onBeforeRequest: async (request) => {
      await options.onBeforeRequest?.(request)
      const seen = {
        method: methodOf(request),
        offset: numberOf(request.getHeader('Upload-Offset')),
        status: null,
        answered: null,
      }
      requests.push(seen)
      underWay.set(request, seen)
    },
    onAfterResponse: (request, response) => {
      const seen = underWay.get(request)
      if (seen === undefined) return
      seen.status = response.getStatus()
      seen.answered = numberOf(headerOf(response))
    },
    onSuccess: (payload) => {
      options.onSuccess?.(payload)
      settle?.resolve(upload.url ?? '')
    },
    onError: (error) => settle?.reject(error),
  })
  return {
    upload,
    requests,
    run: () =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject }
        upload.start()
      }),
  }
}

function methodOf(request: HttpRequest): string {
  return request.getHeader('X-HTTP-Method-Override') ?? request.getMethod()
}

function headerOf(response: HttpResponse): string | undefined {
  return response.getHeader('Upload-Offset')
}

function numberOf(header: string | undefined): number | null {
  return header === undefined ? null : Number(header)
}
