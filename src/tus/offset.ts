import { gridOf, type Upload } from '../upload.ts'

/** `Upload-Offset`: the end of the unbroken run of chunks, plus the tail. Bytes. */
export function offsetOf(upload: Upload): number {
  return upload.ledger.offset(gridOf(upload))
}
