import { expect } from 'vitest'
import type { JsonClient } from './json-client.ts'
import type { TusClient } from './tus-client.ts'

/** A node as clients of both faces see it. */
export interface BothFaces {
  readonly tus: TusClient
  readonly json: JsonClient
}

/** An upload that has come to its end, whichever that is. */
export interface EndedUpload {
  readonly id: string
  readonly fileId: string
  /** What the file must be, where there is one. */
  readonly bytes: Buffer
}

/** How an upload has ended. */
export type Verdict = 'uploaded' | 'cancelled' | 'expired'

const GONE = { UPLOAD_CANCELLED: 'cancelled', UPLOAD_EXPIRED: 'expired' } as const satisfies Record<string, Verdict>

/**
 * How an upload has ended, as a node tells it on both faces: its progress, its offset, an attempt to complete it and the
 * file must all say the same.
 */
export async function verdictOf({ tus, json }: BothFaces, { id, fileId, bytes }: EndedUpload): Promise<Verdict> {
  const progress = await json.progress(id)
  const told = progress.json as {
    readonly data?: { readonly status: string }
    readonly error?: { readonly code: string }
  }
  const status = told.data?.status ?? GONE[told.error?.code as keyof typeof GONE] ?? told.error?.code
  const head = await tus.head(`/files/${id}`)
  const complete = await json.complete(id)
  const content = await tus.request('GET', `/api/v1/files/${fileId}/content`)
  const isThere = content.status === 200 && content.body.equals(bytes)
  const seen = { status, head: head.status, complete: complete.status, content: content.status, isThere }
  if (status === 'uploaded') {
    expect(seen).toEqual({ status, head: 200, complete: 200, content: 200, isThere: true })
    expect(head.headers['upload-offset']).toBe(String(bytes.length))
    return 'uploaded'
  }
  expect(seen).toEqual({ status: expect.stringMatching(/^(?:cancelled|expired)$/), ...GONE_ANSWERS })
  return status as Verdict
}

const GONE_ANSWERS = { head: 410, complete: 410, content: 404, isThere: false }

/** How an upload has ended, on which all nodes agree. */
export async function commonVerdict(nodes: readonly BothFaces[], upload: EndedUpload): Promise<Verdict> {
  const verdicts: Verdict[] = []
  for (const node of nodes) verdicts.push(await verdictOf(node, upload))
  const [first, ...others] = verdicts
  if (first === undefined) throw new Error('There is no node to ask.')
  expect(others, 'nodes disagree').toEqual(others.map(() => first))
  return first
}
