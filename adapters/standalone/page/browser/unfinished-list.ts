import { ResumableUploadError, type ResumableUploader, type ServerProgress } from '../../../client/index.ts'
import { formatBytes } from '../../format-bytes.ts'
import { announce, button, byId, element } from './dom.ts'
import type { Engine, Unfinished } from './transfer.ts'

/** What the list needs of the page. */
export interface UnfinishedSurroundings {
  readonly uploader: ResumableUploader
  readonly engines: readonly Engine[]
  /** Whether the server can be asked for what is unfinished. */
  readonly isLoggedIn: () => boolean
  /** Uploads that rows are at: they are not in the list. */
  readonly isRunning: (fileName: string, fileSize: number) => boolean
  /** Somebody has chosen the file of an upload again. */
  readonly onChosen: (file: File, upload: Unfinished) => void
}

/** The uploads that were begun, here or by the same user, and can be gone on with. */
export class UnfinishedList {
  readonly #around: UnfinishedSurroundings
  readonly #section = byId('unfinished', HTMLElement)
  readonly #list = byId('unfinished-list', HTMLElement)
  #asked = 0

  constructor(around: UnfinishedSurroundings) {
    this.#around = around
  }

  /** Asks again what there is. */
  async refresh(): Promise<void> {
    const asked = (this.#asked += 1)
    const found = await this.#find()
    // A later question has a newer answer.
    if (asked !== this.#asked) return
    const hadFocus = this.#list.contains(document.activeElement)
    this.#list.replaceChildren(...found.map(([upload, progress]) => this.#item(upload, progress)))
    this.#section.hidden = found.length === 0
    if (hadFocus) this.#focus()
  }

  async #find(): Promise<[Unfinished, ServerProgress][]> {
    const { uploader, engines, isLoggedIn, isRunning } = this.#around
    const remembered = (await Promise.all(engines.map((engine) => engine.unfinished()))).flat()
    const known = await Promise.all(
      remembered.map(async (upload): Promise<[Unfinished, ServerProgress][]> => {
        const progress = await this.#progressOf(upload)
        return progress === null ? [] : [[upload, progress]]
      }),
    )
    const others = isLoggedIn()
      ? await uploader.listUploads({ limit: 100 }).catch(() => ({ items: [] }))
      : { items: [] }
    const listed = others.items.flatMap((progress): [Unfinished, ServerProgress][] => {
      const { sessionId: id, fileName, totalSize } = progress
      if (totalSize === null || remembered.some((upload) => upload.id === id)) return []
      const upload = { id, fileName, fileSize: totalSize, startedAt: 0, token: null, forget: () => {} }
      return [[{ ...upload, protocol: 'json' as const }, progress]]
    })
    return [...known.flat(), ...listed].filter(([{ fileName, fileSize }]) => !isRunning(fileName, fileSize))
  }

  /** How far it is; null where it is none any more, and forgotten then. */
  async #progressOf(upload: Unfinished): Promise<ServerProgress | null> {
    try {
      return await this.#around.uploader.getProgress(upload.id, { uploadToken: upload.token })
    } catch (error) {
      const isGone = error instanceof ResumableUploadError && (error.status === 404 || error.status === 410)
      if (isGone) await upload.forget()
      return null
    }
  }

  #item(upload: Unfinished, { percentComplete, status }: ServerProgress): HTMLElement {
    const { fileName, fileSize, startedAt, protocol } = upload
    const input = element('input', {
      type: 'file',
      class: 'hidden',
      tabindex: '-1',
      'aria-label': `The file ${fileName}`,
    })
    const note = element('p', { class: 'what' })
    const begun = startedAt === 0 ? '' : ` · begun ${new Date(startedAt).toLocaleString()}`
    note.textContent = `${Math.floor(percentComplete ?? 0)} % of ${formatBytes(fileSize)} is there${begun}`
    if (status === 'uploaded') note.textContent = `All of its ${formatBytes(fileSize)} are there${begun}`
    input.addEventListener('change', () => {
      const [file] = input.files ?? []
      if (file === undefined) return
      if (file.name === fileName && file.size === fileSize) return this.#around.onChosen(file, upload)
      note.textContent = `That is another file: this upload is of ${fileName}, ${formatBytes(fileSize)}.`
      announce(note.textContent)
      input.value = ''
    })
    const goOn = button('Choose the file again to go on', fileName, () => input.click())
    const discard = button('Discard', fileName, () => void this.#discard(upload))
    return element(
      'li',
      { class: 'row' },
      element(
        'h3',
        {},
        element('span', { class: 'name' }, fileName),
        element('span', { class: 'protocol' }, protocol === 'tus' ? 'tus' : 'JSON chunks'),
      ),
      element('progress', { max: '100', value: String(percentComplete ?? 0), 'aria-label': `Progress of ${fileName}` }),
      note,
      element('div', { class: 'controls' }, input, goOn, discard),
    )
  }

  async #discard(upload: Unfinished): Promise<void> {
    await upload.forget()
    await this.#around.uploader.cancelUpload(upload.id, { uploadToken: upload.token }).catch(() => {})
    announce(`${upload.fileName} is discarded`)
    await this.refresh()
  }

  #focus(): void {
    const next = this.#list.querySelector('button') ?? byId('choose', HTMLElement)
    next.focus()
  }
}
