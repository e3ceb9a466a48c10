import { ResumableUploader, type UploadedFile } from '../../../client/index.ts'
import { byId } from './dom.ts'
import { JsonEngine } from './json-engine.ts'
import { Row } from './row.ts'
import { readSettings } from './settings.ts'
import type { Engine, Protocol, Unfinished } from './transfer.ts'
import { TusEngine } from './tus-engine.ts'
import { UnfinishedList } from './unfinished-list.ts'

const TOKEN_KEY = 'holdfast-page-token'
const PROTOCOL_KEY = 'holdfast-page-protocol'

const settings = readSettings()
const input = byId('files', HTMLInputElement)
const zone = byId('zone', HTMLElement)
const list = byId('uploads-list', HTMLElement)

const token = (): string | null => sessionStorage.getItem(TOKEN_KEY)
// Below wherever the page is: a proxy may have put the server under a path.
const base = new URL('.', location.href).href.replace(/\/$/, '')
const uploader = new ResumableUploader(base, { apiPrefix: settings.apiPrefix, getToken: token })
const headers = (): Readonly<Record<string, string>> => {
  const login = token()
  return login === null ? {} : { Authorization: `Bearer ${login}` }
}
const engines: Readonly<Record<Protocol, Engine>> = {
  json: new JsonEngine(uploader),
  tus: new TusEngine(`${base}${settings.tusPath}`, headers, uploader),
}

/** Files of rows whose transfers run, by name and size. */
const running = new Map<string, number>()
const keyOf = (name: string, size: number): string => `${size} ${name}`

const unfinished = new UnfinishedList({
  uploader,
  engines: Object.values(engines),
  isLoggedIn: () => settings.auth !== 'none' && token() !== null,
  isRunning: (name, size) => (running.get(keyOf(name, size)) ?? 0) > 0,
  onChosen: (file, upload) => add(file, upload.protocol, upload),
})

function add(file: File, protocol: Protocol, from?: Unfinished): void {
  const key = keyOf(file.name, file.size)
  running.set(key, (running.get(key) ?? 0) + 1)
  let ended = false
  const row = new Row(
    file,
    {
      engine: engines[protocol],
      protocol,
      contentOf,
      onGone: () => (list.querySelector('button') ?? byId('choose', HTMLElement)).focus(),
      onEnd: () => {
        if (!ended) running.set(key, (running.get(key) ?? 1) - 1)
        ended = true
        void unfinished.refresh()
      },
    },
    from,
  )
  list.prepend(row.node)
  void unfinished.refresh()
}

function contentOf({ id, url }: UploadedFile): string | null {
  if (url !== undefined) return url
  // A link carries no login.
  return settings.auth === 'none' ? `${base}${settings.apiPrefix.replace(/[^/]*$/, 'files')}/${id}/content` : null
}

function addAll(files: FileList | null | undefined): void {
  for (const file of files ?? []) add(file, chosenProtocol())
}

function chosenProtocol(): Protocol {
  return byId('protocol-tus', HTMLInputElement).checked ? 'tus' : 'json'
}

byId('choose', HTMLButtonElement).addEventListener('click', () => input.click())
input.addEventListener('change', () => {
  addAll(input.files)
  // The same file may be chosen again.
  input.value = ''
})

// Anywhere on the page, so that a file that misses the zone does not replace the page.
for (const type of ['dragenter', 'dragover', 'dragleave', 'drop'] as const) {
  document.addEventListener(type, (event) => {
    event.preventDefault()
    zone.classList.toggle('over', type === 'dragenter' || type === 'dragover')
    if (type === 'drop') addAll(event.dataTransfer?.files)
  })
}

byId('protocol-tus', HTMLInputElement).checked = localStorage.getItem(PROTOCOL_KEY) === 'tus'
for (const id of ['protocol-json', 'protocol-tus']) {
  byId(id, HTMLInputElement).addEventListener('change', () => localStorage.setItem(PROTOCOL_KEY, chosenProtocol()))
}

const tokenInput = document.getElementById('token')
if (tokenInput instanceof HTMLInputElement) {
  tokenInput.value = token() ?? ''
  tokenInput.addEventListener('change', () => {
    if (tokenInput.value === '') sessionStorage.removeItem(TOKEN_KEY)
    else sessionStorage.setItem(TOKEN_KEY, tokenInput.value.trim())
    void unfinished.refresh()
  })
}

byId('choose', HTMLButtonElement).disabled = false
void unfinished.refresh()
