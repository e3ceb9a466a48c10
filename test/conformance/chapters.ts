import type { Chapter } from './check.ts'
import { checksumTrailer } from './checks/checksum-trailer.ts'
import { checksum } from './checks/checksum.ts'
import { concatenation } from './checks/concatenation.ts'
import { cors } from './checks/cors.ts'
import { creationDeferLength } from './checks/creation-defer-length.ts'
import { creationWithUpload } from './checks/creation-with-upload.ts'
import { creation } from './checks/creation.ts'
import { expiration } from './checks/expiration.ts'
import { head } from './checks/head.ts'
import { methodOverride } from './checks/method-override.ts'
import { options } from './checks/options.ts'
import { patch } from './checks/patch.ts'
import { termination } from './checks/termination.ts'
import { version } from './checks/version.ts'

/** Everything there is to check, in the order of the specification. GET has no chapter: downloads are not part of tus. */
export const chapters: readonly Chapter[] = [
  options,
  version,
  methodOverride,
  head,
  patch,
  creation,
  creationWithUpload,
  creationDeferLength,
  expiration,
  checksum,
  checksumTrailer,
  termination,
  concatenation,
  cors,
]
