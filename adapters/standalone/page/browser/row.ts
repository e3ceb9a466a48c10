import type { UploadedFile } from '../../../client/index.ts'
import { announce, button, element } from './dom.ts'
import { rowText } from './row-text.ts'
import type { Engine, Protocol, Transfer, TransferProgress, Unfinished } from './transfer.ts'

/** What a row needs of the page. */
export interface RowSurroundings {
  readonly engine: Engine
  readonly protocol: Protocol
  /** Where the bytes of a finished file are; null where a link could not say who asks. */
  readonly contentOf: (file: UploadedFile) => string | null
  /** The row is gone: where does the focus go? */
  readonly onGone: () => void
  /** It has ended, this way or that. */
  readonly onEnd: () => void
}

const PROTOCOL_NAMES: Readonly<Record<Protocol, string>> = { json: 'JSON chunks', tus: 'tus' }

/** One file on the page, from its choice to its checksum. */
export class Row {
  readonly node = element('li', { class: 'row' })
  readonly #file: File
  readonly #around: RowSurroundings
  readonly #from: Unfinished | undefined
  readonly #bar: HTMLProgressElement
  readonly #text = element('p', { class: 'what' })
  readonly #controls = element('div', { class: 'controls' })
  readonly #pause: HTMLButtonElement
  readonly #resume: HTMLButtonElement
  readonly #cancel: HTMLButtonElement
  #transfer: Transfer

  constructor(file: File, around: RowSurroundings, from?: Unfinished) {
    this.#file = file
    this.#around = around
    this.#from = from
    this.#bar = element('progress', { max: '1', value: '0', 'aria-label': `Progress of ${file.name}` })
    this.#pause = button('Pause', file.name, () => this.#switch('pause'))
    this.#resume = button('Resume', file.name, () => this.#switch('resume'))
    this.#cancel = button('Cancel', file.name, () => void this.#end())
    this.#resume.hidden = true
    this.#controls.append(this.#pause, this.#resume, this.#cancel)
    const head = element('h3', {}, element('span', { class: 'name' }, file.name))
    head.append(element('span', { class: 'protocol' }, PROTOCOL_NAMES[around.protocol]))
    this.node.append(head, this.#bar, this.#text, this.#controls)
    announce(`Uploading ${file.name}`)
    this.#transfer = this.#start()
  }

  #start(): Transfer {
    const events = {
      onProgress: (progress: TransferProgress) => this.#show(progress),
      onDone: (file: UploadedFile) => this.#finish(file),
      onFailed: (message: string) => this.#fail(message),
    }
    return this.#around.engine.start(this.#file, events, this.#from)
  }

  #show(progress: TransferProgress): void {
    this.node.dataset['state'] = progress.state
    const { size } = this.#file
    this.#bar.value = size === 0 ? 1 : progress.uploadedBytes / size
    this.#text.textContent = rowText(progress, size)
  }

  #switch(to: 'pause' | 'resume'): void {
    const hadFocus = this.#controls.contains(document.activeElement)
    this.#pause.hidden = to === 'pause'
    this.#resume.hidden = to === 'resume'
    this.#transfer[to]()
    if (hadFocus) (to === 'pause' ? this.#resume : this.#pause).focus()
    announce(`${this.#file.name} ${to === 'pause' ? 'is paused' : 'goes on'}`)
  }

  async #end(): Promise<void> {
    this.#pause.disabled = this.#resume.disabled = this.#cancel.disabled = true
    this.#text.textContent = 'Cancelling…'
    try {
      await this.#transfer.cancel()
      announce(`${this.#file.name} is cancelled`)
      this.#remove()
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
    }
  }

  #remove(): void {
    this.node.remove()
    this.#around.onGone()
    this.#around.onEnd()
  }

  #finish(file: UploadedFile): void {
    this.#bar.value = 1
    this.node.dataset['state'] = 'done'
    this.#text.textContent = rowText(
      { state: 'done', uploadedBytes: file.size, bytesPerSecond: 0, secondsRemaining: 0, trouble: '' },
      file.size,
    )
    const checksum = file.checksum ?? 'not known yet'
    const sum = element('p', { class: 'sum' }, 'SHA-256 ', element('code', {}, checksum))
    const content = this.#around.contentOf(file)
    const links =
      content === null
        ? []
        : [element('a', { href: content }, 'Open', element('span', { class: 'hidden' }, ` ${file.name}`))]
    this.#replaceControls(
      ...links,
      button('Remove from this list', file.name, () => this.#remove()),
    )
    this.#text.after(sum)
    announce(`${file.name} is uploaded`)
    this.#around.onEnd()
  }

  #fail(message: string): void {
    this.node.dataset['state'] = 'failed'
    this.#text.textContent = message
    const again = button('Try again', this.#file.name, () => {
      this.#replaceControls(this.#pause, this.#resume, this.#cancel)
      this.#pause.disabled = this.#resume.disabled = this.#cancel.disabled = false
      this.#pause.hidden = false
      this.#resume.hidden = true
      this.#pause.focus()
      this.#transfer = this.#start()
    })
    this.#replaceControls(
      again,
      button('Remove from this list', this.#file.name, () => this.#remove()),
    )
    announce(`${this.#file.name} failed: ${message}`)
    this.#around.onEnd()
  }

  #replaceControls(...controls: readonly HTMLElement[]): void {
    const hadFocus = this.#controls.contains(document.activeElement)
    this.#controls.replaceChildren(...controls)
    if (hadFocus) controls[0]?.focus()
  }
}
