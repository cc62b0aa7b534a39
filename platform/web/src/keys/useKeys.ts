import { useEffect, useRef } from 'react'
import { register, type Scope, type Shortcut } from './registry'

/** Shortcuts that work while the component is shown. The list's keys must not change. */
export function useKeys(scope: Scope, shortcuts: Shortcut[]): void {
  const latest = useRef(shortcuts)
  useEffect(() => {
    latest.current = shortcuts
  })
  const names = shortcuts.map((shortcut) => shortcut.keys).join(',')
  // biome-ignore lint/correctness/useExhaustiveDependencies: registered again only for other keys
  useEffect(
    () =>
      register(
        scope,
        latest.current.map((shortcut, i) => ({
          ...shortcut,
          run: () => latest.current[i]?.run(),
        })),
      ),
    [scope, names],
  )
}
