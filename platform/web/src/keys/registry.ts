/**
 * Keyboard shortcuts: single keys, Shift+key, and sequences such as "g p". One list, so that the help
 * sheet shows exactly what works now. Silent in text fields, in dialogs, while an input method
 * composes, and when the person has turned single keys off (WCAG 2.1.4).
 */
import type { Key } from '../i18n/t'

export type Scope = 'global' | 'list' | 'log' | 'execution'

export interface Shortcut {
  /** 'f', 'Shift+x', 'g p', '/', '?'. */
  keys: string
  label: Key
  run: () => void
}

export interface Registered extends Shortcut {
  scope: Scope
}

const sequenceMs = 1200

const registered = new Set<Registered>()
const listeners = new Set<() => void>()
let snapshot: Registered[] = []
let prefix = ''
let prefixTimer: ReturnType<typeof setTimeout> | null = null

function changed(): void {
  snapshot = [...registered]
  for (const listener of listeners) listener()
}

export function register(scope: Scope, shortcuts: Shortcut[]): () => void {
  const mine = shortcuts.map((shortcut) => ({ ...shortcut, scope }))
  for (const shortcut of mine) registered.add(shortcut)
  changed()
  return () => {
    for (const shortcut of mine) registered.delete(shortcut)
    changed()
  }
}

export function shortcuts(): Registered[] {
  return snapshot
}

export function subscribeShortcuts(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The name of what was pressed, in the same words as `Shortcut.keys`. */
export function keyName(event: KeyboardEvent): string {
  if (event.key.length === 1) {
    const letter = /^[a-z]$/i.test(event.key)
    return letter && event.shiftKey ? `Shift+${event.key.toLowerCase()}` : event.key.toLowerCase()
  }
  return event.shiftKey ? `Shift+${event.key}` : event.key
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target.isContentEditable) return true
  const tag = target.tagName
  return tag === 'TEXTAREA' || tag === 'SELECT' || (tag === 'INPUT' && !isButtonInput(target))
}

function isButtonInput(target: HTMLElement): boolean {
  return ['checkbox', 'radio', 'button', 'submit'].includes((target as HTMLInputElement).type)
}

export function handleKey(event: KeyboardEvent, on: boolean): void {
  if (!on || event.defaultPrevented || event.isComposing || event.keyCode === 229) return
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
  if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]')) return
  const name = keyName(event)
  const full = prefix ? `${prefix} ${name}` : name
  const match = snapshot.findLast((shortcut) => shortcut.keys === full)
  if (prefixTimer !== null) clearTimeout(prefixTimer)
  prefix = ''
  if (match) {
    event.preventDefault()
    match.run()
  } else if (snapshot.some((shortcut) => shortcut.keys.startsWith(`${full} `))) {
    prefix = full
    prefixTimer = setTimeout(() => {
      prefix = ''
    }, sequenceMs)
  }
}
