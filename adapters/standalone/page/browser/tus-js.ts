/** The part of tus-js-client that is used. Its build for pages makes one name global. */
interface TusJs {
  readonly Upload: new (file: File, options: TusOptions) => TusUpload
  readonly defaultOptions: { readonly urlStorage: TusUrlStorage }
}

interface TusOptions {
  readonly endpoint: string
  readonly uploadUrl?: string
  readonly metadata: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly retryDelays: readonly number[]
  readonly removeFingerprintOnSuccess: boolean
  readonly onProgress: (sent: number, total: number) => void
  readonly onSuccess: () => void
  readonly onError: (error: Error & { readonly originalResponse?: { getStatus(): number } | null }) => void
  readonly onShouldRetry?: (error: Error) => boolean
}

interface TusUpload {
  readonly url: string | null
  start(): void
  abort(shouldTerminate?: boolean): Promise<void>
  findPreviousUploads(): Promise<readonly TusPrevious[]>
  resumeFromPreviousUpload(previous: TusPrevious): void
}

export interface TusPrevious {
  readonly size: number | null
  readonly metadata: Readonly<Record<string, string>>
  readonly creationTime: string
  readonly uploadUrl?: string | null
  readonly urlStorageKey: string
}

interface TusUrlStorage {
  findAllUploads(): Promise<readonly TusPrevious[]>
  removeUpload(urlStorageKey: string): Promise<void>
}

declare global {
  const tus: TusJs
}
