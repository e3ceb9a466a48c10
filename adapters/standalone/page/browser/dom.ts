type Child = Node | string

/** An element with attributes and children: nothing that comes from elsewhere is ever read as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** A button that says what it does, and of what to who cannot see beside what it stands. */
export function button(label: string, about: string, onClick: () => void): HTMLButtonElement {
  const made = element('button', { type: 'button' }, label)
  if (about !== '') made.append(element('span', { class: 'hidden' }, ` ${about}`))
  made.addEventListener('click', onClick)
  return made
}

/** The element with an id. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new TypeError(`The page has no ${id}.`)
}

/** Says something to who listens to the page instead of looking at it. */
export function announce(text: string): void {
  byId('announcements', HTMLElement).textContent = text
}
