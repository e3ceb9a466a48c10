/** Who is told of finished files, at least once each. The names stand in records. */
export type Receiver = 'onCompleted' | 'webhook'

/** How far telling one of them has come. */
export type DeliveryStatus = 'owed' | 'delivered' | 'givenUp'

/** How far telling each of them has come; nobody else is to be told. */
export type Deliveries = { readonly [R in Receiver]?: DeliveryStatus }

const RECEIVERS: readonly Receiver[] = ['onCompleted', 'webhook']
const STATUSES: readonly unknown[] = ['owed', 'delivered', 'givenUp'] satisfies readonly DeliveryStatus[]

/** What is recorded with a file of which these are to be told; undefined where nobody is. */
export function owedTo(receivers: readonly Receiver[]): Deliveries | undefined {
  return receivers.length === 0 ? undefined : Object.fromEntries(receivers.map((receiver) => [receiver, 'owed']))
}

/** Who is still to be told. */
export function owedIn(deliveries: Deliveries): Receiver[] {
  return RECEIVERS.filter((receiver) => deliveries[receiver] === 'owed')
}

/** What is recorded after some were told. What is not owed any more never is again. */
export function settled(standing: Deliveries, outcomes: Deliveries): Deliveries {
  const changed = owedIn(standing).map((receiver) => [receiver, outcomes[receiver] ?? 'owed'] as const)
  return { ...standing, ...Object.fromEntries(changed) }
}

/** Reads deliveries from a record; undefined where there are none. Of receivers that this version does not know it keeps nothing. */
export function readDeliveries(value: unknown): Deliveries | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const facts = new Map<string, unknown>(Object.entries(value))
  const known = RECEIVERS.filter((receiver) => STATUSES.includes(facts.get(receiver)))
  return known.length === 0 ? undefined : Object.fromEntries(known.map((receiver) => [receiver, facts.get(receiver)]))
}
