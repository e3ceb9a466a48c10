import { Type, type Static } from 'typebox'
import { ERRORS, type ErrorCode } from '../errors.ts'

/** Codes that only the tus face has. */
const TUS_CODES = ['OFFSET_MISMATCH', 'TUS_VERSION_MISMATCH'] as const satisfies readonly ErrorCode[]

/** A code that the JSON face may answer. */
export type JsonErrorCode = Exclude<ErrorCode, (typeof TUS_CODES)[number]>

/** Every code that the JSON face may answer, in the order of the table. */
export const JSON_ERROR_CODES = (Object.keys(ERRORS) as ErrorCode[]).filter(
  (code): code is JsonErrorCode => !TUS_CODES.some((tus) => tus === code),
)

/** The whole answer to a call that failed. */
export const Failure = Type.Object({
  success: Type.Literal(false),
  error: Type.Object({
    code: Type.Enum(JSON_ERROR_CODES, { description: 'Match on this, never on the message.' }),
    message: Type.String({ description: 'What was wrong and what to do, in words.' }),
    details: Type.Optional(
      Type.Unsafe<Readonly<Record<string, unknown>>>({
        type: 'object',
        additionalProperties: true,
        description: 'Facts for a program: the `field` that is wrong, the chunks `missing`, a limit as `max`.',
      }),
    ),
    requestId: Type.String({ description: 'Stands in the server’s log too, and in `X-Request-ID`.' }),
  }),
})

/** The type of an answer to a call that failed. */
export type Failure = Static<typeof Failure>
