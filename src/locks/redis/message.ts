/** What a process is told of one of its tokens. */
export type LockMessage =
  | { readonly type: 'granted' | 'asked'; readonly token: string }
  | { readonly type: 'moved'; readonly token: string; readonly move: number }

const FORM = /^(?<type>[gam])\|(?<token>[\da-f-]{36})(?:\|(?<move>\d{1,15}))?$/

/** Reads what a script of {@link LOCK_LUA} published; null where it is no such message. */
export function readMessage(text: string): LockMessage | null {
  const { type, token, move } = FORM.exec(text)?.groups ?? {}
  if (type === undefined || token === undefined) return null
  if (type === 'm') return move === undefined ? null : { type: 'moved', token, move: Number(move) }
  return { type: type === 'g' ? 'granted' : 'asked', token }
}
