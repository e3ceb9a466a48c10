/** Where bytes are kept, and where state. */
export const COMBINATIONS = ['file/memory', 'file/Redis', 'S3/memory', 'S3/Redis'] as const

export type Combination = (typeof COMBINATIONS)[number]

/** What a combination can do, and how large its uploads are. */
export interface Traits {
  readonly combination: Combination
  readonly hasRedis: boolean
  readonly hasS3: boolean
  /** Whether the server knows no more than tus with creation: no JSON face, no checksums, no parts. */
  readonly isPlainTus: boolean
  /** Nodes that run at the same time: one process owns a folder, or the memory that state is in. */
  readonly nodes: number
  /** Chunk sizes that clients ask for, bytes. */
  readonly grids: readonly [number, ...number[]]
  /** Bytes of the smallest file and of the largest. */
  readonly sizes: readonly [least: number, most: number]
}

const KIB = 1024
const MIB = 1024 * KIB

/** What is true of a combination. */
export function traitsOf(combination: Combination): Traits {
  const hasRedis = combination.endsWith('Redis')
  const hasS3 = combination.startsWith('S3')
  return {
    combination,
    hasRedis,
    hasS3,
    isPlainTus: false,
    nodes: hasRedis && hasS3 ? 3 : 1,
    // S3 takes no smaller parts.
    grids: hasS3 ? [5 * MIB, 5 * MIB + 12_345] : [64 * KIB, 100_003, 256 * KIB, MIB],
    sizes: hasS3 ? [MIB, 13 * MIB] : [200 * KIB, 4 * MIB],
  }
}
