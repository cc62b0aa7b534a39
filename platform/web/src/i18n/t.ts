/**
 * Our own translator: two languages, flat JSON, typed keys, loaded on demand.
 *
 * A text is a string with {placeholders}; numbers put into one are formatted for the language. A
 * text that depends on a count is `{"one": …, "other": …}` (Japanese has one form, so its file holds
 * plain strings). Keys are static words in the source, never built, so that tools/check-i18n.mjs
 * can see what is unused.
 */
import { useSyncExternalStore } from 'react'
import type ja from './ja.json'

export type Key = keyof typeof ja
export type Language = 'ja' | 'en'
export type Params = Record<string, string | number>
export type Translate = (key: Key, params?: Params) => string

type Text = string | { one: string; other: string }
type Dictionary = Record<string, Text>

const loaders: Record<Language, () => Promise<{ default: unknown }>> = {
  ja: () => import('./ja.json'),
  en: () => import('./en.json'),
}

let language: Language = 'ja'
let dictionary: Dictionary = {}
let plural = new Intl.PluralRules('ja')
let number = new Intl.NumberFormat('ja')
const listeners = new Set<() => void>()

export function currentLanguage(): Language {
  return language
}

/** Loads the language's texts, then switches; every `useT` re-renders. */
export async function setLanguage(next: Language): Promise<void> {
  const texts = (await loaders[next]()).default as Dictionary
  language = next
  dictionary = texts
  plural = new Intl.PluralRules(next)
  number = new Intl.NumberFormat(next)
  translate = makeTranslate()
  if (typeof document !== 'undefined') document.documentElement.lang = next
  for (const listener of listeners) listener()
}

function fill(text: string, params: Params | undefined): string {
  if (!params) return text
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name]
    if (value === undefined) return whole
    return typeof value === 'number' ? number.format(value) : value
  })
}

function makeTranslate(): Translate {
  return (key, params) => {
    const text = dictionary[key]
    if (text === undefined) return key
    if (typeof text === 'string') return fill(text, params)
    const one = plural.select(Number(params?.count ?? 0)) === 'one'
    return fill(one ? text.one : text.other, params)
  }
}

let translate = makeTranslate()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** For code outside React (socket, toasts). Inside a component use `useT`. */
export const t: Translate = (key, params) => translate(key, params)

/** The translator; its identity changes with the language, so it is a safe dependency. */
export function useT(): Translate {
  return useSyncExternalStore(subscribe, () => translate)
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, currentLanguage)
}

/** A sentence the server gives in both languages. */
export interface Bilingual {
  en: string
  ja: string
}

export function pick(text: Bilingual, lang: Language = language): string {
  return text[lang] || text.en || text.ja
}
