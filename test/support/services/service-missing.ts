/** A service is neither named by a variable nor can it be brought up here. Says why, and how to run what needs it. */
export class ServiceMissing extends Error {
  override readonly name = 'ServiceMissing'

  constructor(service: string, reason: string, way: string) {
    super(`${service} is missing, so nothing that needs it is run.\n  Why: ${reason}\n  To run it: ${way}`)
  }
}
