import type { OpenApiOptions } from '../../openapi-document.ts'
import type { Configuration } from '../configuration.ts'

/** How one authenticates here, for the API's document. */
export function securitySchemes({ AUTH }: Pick<Configuration, 'AUTH'>): Pick<OpenApiOptions, 'securitySchemes'> {
  switch (AUTH) {
    case 'jwt':
      return { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } }
    case 'api-key':
      return {
        securitySchemes: {
          key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
          bearer: { type: 'http', scheme: 'bearer' },
        },
      }
    case 'none':
    case null:
      return {}
  }
}
