/**
 * The one file of all examples, so that they tell one story which can be followed, and is in the tests: 5 MiB of zero
 * bytes, which are chunk 0 at the default chunk size, and these 13 bytes, which are chunk 1 and are sent first.
 */
export const EXAMPLE_FILE = {
  name: 'greeting.bin',
  size: 5 * 1024 * 1024 + 13,
  chunkSize: 5 * 1024 * 1024,
  lastChunk: 'Hello, world!',
  lastChunkSha256: '315f5bdb76d078c43b8ac0064e4a0164612b1fce77c869345bfc94c75894edd3',
  lastChunkDigest: 'sha-256=:MV9b23bQeMQ7isAGTkoBZGErH853yGk0W/yUx1iU7dM=:',
  sha256: '5f7a5fec223a44b4f02a084223a116b90c4f87e6aed1491348ef93eff01cc2fd',
  metadata: { album: 'Examples' },
} as const

/** Ids, times and the like, which are others each time. */
export const EXAMPLE_FACTS = {
  id: '0b1c9c2e-7d0f-4c55-9d3a-2f6d1f0e8a71',
  fileId: '5f0c4a7e-3a0b-4c1d-8e4f-6b7a8c9d0e1f',
  at: '2026-11-22T10:00:00.000Z',
  expiresAt: '2026-11-23T10:00:00.000Z',
  requestId: '9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d',
} as const
