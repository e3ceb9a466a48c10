/** How far an upload is, as its client knows it. */
export type Phase = 'creating' | 'uploading' | 'completing' | 'ended'

/** An id of ours, in a path or a key. */
const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

/** The phases of all uploads of a campaign, by every name they have. */
export class Phases {
  readonly #byId = new Map<string, Phase>()
  readonly #onChange: (id: string, phase: Phase) => void

  /** `onChange` is told of every change. */
  constructor(onChange: (id: string, phase: Phase) => void = () => {}) {
    this.#onChange = onChange
  }

  /** An upload, or its file, has come to a phase. */
  enter(id: string, phase: Phase): void {
    if (this.#byId.get(id) === phase) return
    this.#byId.set(id, phase)
    this.#onChange(id, phase)
  }

  /** All that is known. */
  entries(): [id: string, phase: Phase][] {
    return [...this.#byId]
  }

  /** The phase of the upload that is named in a path or a key; one that no client knows of yet is being created. */
  of(text: string): Phase {
    for (const [id] of text.matchAll(ID)) {
      const phase = this.#byId.get(id)
      if (phase !== undefined) return phase
    }
    return 'creating'
  }
}
