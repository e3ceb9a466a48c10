import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'

const MIB = 1024 ** 2
/** How much is allocated before all of the heap is looked through, bytes. */
const HEADROOM = 96 * MIB
/** A heap of more than this is V8's own affair: it lets it grow by more than the headroom, bytes. */
const SMALL_HEAP = 192 * MIB

/**
 * Lets a small heap grow before V8 looks through all of it. Received bytes lie outside the heap, but count as its growth: with
 * a heap of 20 MiB V8 would look through it for every 26 MiB received, and spend more CPU on that than the bytes take. They
 * are given back by the collection of what is young, which comes for every 32 MiB of them.
 */
export function giveHeapHeadroom(): void {
  setGrowth()
  // The heap's size changes only slowly: what is left after a full collection holds for the next.
  new PerformanceObserver((list) => {
    if (list.getEntries().some(isMajor)) setGrowth()
  }).observe({ entryTypes: ['gc'] })
}

/** By how much a heap of `used` bytes may grow, in percent; 0 leaves it to V8. */
export function growthOf(used: number): number {
  return used > SMALL_HEAP ? 0 : Math.ceil((100 * HEADROOM) / Math.max(used, MIB))
}

function setGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${growthOf(getHeapStatistics().used_heap_size)}`)
}

function isMajor({ detail }: PerformanceEntry & { readonly detail?: unknown }): boolean {
  return (detail as { readonly kind?: number } | undefined)?.kind === constants.NODE_PERFORMANCE_GC_MAJOR
}
