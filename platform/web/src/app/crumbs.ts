/** Where we are, as the top bar shows it; a page says it, the shell draws it. */
import { useEffect, useSyncExternalStore } from 'react'

export interface Crumb {
  label: string
  to?: string
}

let crumbs: Crumb[] = []
const listeners = new Set<() => void>()

export function useCrumbs(): Crumb[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => crumbs,
  )
}

export function useSetCrumbs(next: Crumb[]): void {
  const text = JSON.stringify(next)
  useEffect(() => {
    crumbs = JSON.parse(text) as Crumb[]
    for (const listener of listeners) listener()
  }, [text])
}
