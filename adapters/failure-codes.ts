import type { IncomingMessage } from 'node:http'
import { isUploadError, type ErrorCode } from '../src/index.ts'
import type { FaceReply } from '../src/json/index.ts'

const codes = new WeakMap<IncomingMessage, ErrorCode>()

/** Remembers what a request is answered with, for whoever logs it later. */
export function rememberFailure(raw: IncomingMessage, { error }: Pick<FaceReply, 'error'>): void {
  if (isUploadError(error)) codes.set(raw, error.code)
}

/** The code of the error that a request was answered with, if any. */
export function failureCodeOf(raw: IncomingMessage): ErrorCode | undefined {
  return codes.get(raw)
}
