/**
 * What this browser remembers: theme, language, navigation width, keys, log view. Kept in
 * localStorage, shared by tabs; public/boot.js reads the first two before the first paint.
 */
import { useSyncExternalStore } from 'react'
import type { Language } from '../i18n/t'

export type ThemeChoice = 'system' | 'light' | 'dark'

export interface Preferences {
  theme: ThemeChoice
  language: Language
  nav: 'wide' | 'narrow'
  keys: 'on' | 'off'
  logTime: 'on' | 'off'
  logWrap: 'on' | 'off'
}

const choices: { [K in keyof Preferences]: readonly Preferences[K][] } = {
  theme: ['system', 'light', 'dark'],
  language: ['ja', 'en'],
  nav: ['wide', 'narrow'],
  keys: ['on', 'off'],
  logTime: ['on', 'off'],
  logWrap: ['on', 'off'],
}

const listeners = new Set<() => void>()

function read(key: string): string | null {
  try {
    return localStorage.getItem(`poppo.${key}`)
  } catch {
    return null // storage is off; what is chosen lives as long as the page
  }
}

function load(): Preferences {
  const known = <K extends keyof Preferences>(key: K, fallback: Preferences[K]): Preferences[K] => {
    const value = read(key) as Preferences[K] | null
    return value !== null && choices[key].includes(value) ? value : fallback
  }
  return {
    theme: known('theme', 'system'),
    language: known('language', navigator.language.startsWith('ja') ? 'ja' : 'en'),
    nav: known('nav', 'wide'),
    keys: known('keys', 'on'),
    logTime: known('logTime', 'on'),
    logWrap: known('logWrap', 'on'),
  }
}

let current = load()

const systemDark = matchMedia('(prefers-color-scheme: dark)')

function applyTheme(): void {
  const dark = current.theme === 'system' ? systemDark.matches : current.theme === 'dark'
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
}

systemDark.addEventListener('change', applyTheme)
addEventListener('storage', (event) => {
  if (event.key?.startsWith('poppo.')) {
    current = load()
    applyTheme()
    for (const listener of listeners) listener()
  }
})

export function preferences(): Preferences {
  return current
}

export function setPreference<K extends keyof Preferences>(key: K, value: Preferences[K]): void {
  current = { ...current, [key]: value }
  try {
    localStorage.setItem(`poppo.${key}`, value)
  } catch {
    // Storage is off or full: the choice still holds for this page.
  }
  if (key === 'theme') applyTheme()
  for (const listener of listeners) listener()
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )
}
