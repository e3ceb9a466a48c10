/** What was used last, up to a number. Only ever a cache: what is not in it is asked for again. */
export class Recent<K, V> {
  readonly #capacity: number
  readonly #values = new Map<K, V>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(key: K): V | undefined {
    const value = this.#values.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  set(key: K, value: V): void {
    // Last in the map: the least recently used is forgotten first.
    this.#values.delete(key)
    this.#values.set(key, value)
    if (this.#values.size <= this.#capacity) return
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest)
      return
    }
  }

  delete(key: K): void {
    this.#values.delete(key)
  }
}
