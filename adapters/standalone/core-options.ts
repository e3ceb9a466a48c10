import type { UploadsOptions } from '../../src/index.ts'
import type { Configuration } from './configuration.ts'

/** What the configuration says of the core, beside where bytes and state are. */
export function coreOptions(configuration: Configuration): Omit<UploadsOptions, 'storage' | 'state'> {
  return {
    chunkSize: configuration.CHUNK_SIZE,
    ...where('minChunkSize', configuration.MIN_CHUNK_SIZE),
    ...where('maxFileSize', configuration.MAX_FILE_SIZE),
    ...where('allowedTypes', configuration.ALLOWED_TYPES),
    sniffTypes: configuration.SNIFF_TYPES,
    ...where('maxUploadsPerUser', configuration.MAX_UPLOADS_PER_USER),
    ...where('maxBytesPerUser', configuration.MAX_BYTES_PER_USER),
    expiresAfterMs: configuration.EXPIRES_AFTER,
    maxLifetimeMs: configuration.MAX_LIFETIME,
    ...where('filesExpireAfterMs', configuration.FILES_EXPIRE_AFTER),
    memoryBudget: configuration.MEMORY_BUDGET,
    ...where('spoolDirectory', configuration.SPOOL_DIR),
    spoolBudget: configuration.SPOOL_BUDGET,
    fileChecksum: configuration.FILE_CHECKSUM,
    idleTimeoutMs: configuration.IDLE_TIMEOUT,
    minBytesPerSecond: configuration.MIN_BYTES_PER_SECOND,
    ...where('cdnUrl', configuration.CDN_URL),
    ...webhookOf(configuration),
  }
}

function webhookOf({ WEBHOOK_URL, WEBHOOK_SECRET }: Configuration): Pick<UploadsOptions, 'webhook'> {
  return WEBHOOK_URL === null || WEBHOOK_SECRET === null
    ? {}
    : { webhook: { url: WEBHOOK_URL, secret: WEBHOOK_SECRET } }
}

/** An option, where the configuration has a value for it. */
function where<const Name extends keyof UploadsOptions, T>(name: Name, value: T | null): { readonly [N in Name]?: T } {
  // No type of TypeScript's follows a computed name.
  return (value === null ? {} : { [name]: value }) as { readonly [N in Name]?: T }
}
