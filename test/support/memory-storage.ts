import type { UploadStorage } from '../../adapters/client/index.ts'

/** Remembers uploads as long as a test runs. */
export class MemoryStorage implements UploadStorage {
  readonly entries = new Map<string, string>()

  get(key: string): string | null {
    return this.entries.get(key) ?? null
  }

  set(key: string, value: string): void {
    this.entries.set(key, value)
  }

  delete(key: string): void {
    this.entries.delete(key)
  }

  keys(): string[] {
    return [...this.entries.keys()]
  }
}
