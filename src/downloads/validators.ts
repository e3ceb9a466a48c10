import type { FileRecord } from '../files.ts'

/** What tells one state of a file from another. */
export interface Validators {
  /** A strong entity tag, quotes included. */
  readonly etag: string
  /** ms since the epoch, in whole seconds, as HTTP-dates have them. */
  readonly lastModified: number
}

/**
 * The validators of a finished file. A file id is used once and its bytes never change, so the id names them; the checksum
 * would too, but is not known at first, and a tag that changed when it comes would break the downloads under way.
 */
export function validatorsOf({ id, size, uploadedAt }: FileRecord): Validators {
  return { etag: `"${id}-${size.toString(16)}"`, lastModified: uploadedAt - (uploadedAt % 1000) }
}

/** RFC 9110 section 8.8.3. */
const ENTITY_TAG = /(?<weak>W\/)?(?<opaque>"[\x21\x23-\x7e\x80-\xff]*")/y

/**
 * Whether a list of entity tags (`If-Match`, `If-None-Match`), or `*`, names the tag of a file that is there. Weak tags
 * count only where `weak` says so (section 8.8.3.2). A list that is malformed names what stands before the fault.
 */
export function namesTag(list: string, etag: string, { weak }: { readonly weak: boolean }): boolean {
  if (list.trim() === '*') return true
  let at = 0
  while (at < list.length) {
    if (/[\s,]/.test(list.charAt(at))) {
      at += 1
      continue
    }
    ENTITY_TAG.lastIndex = at
    const found = ENTITY_TAG.exec(list)
    if (found === null) return false
    if (found.groups?.['opaque'] === etag && (weak || found.groups['weak'] === undefined)) return true
    at = ENTITY_TAG.lastIndex
  }
  return false
}
