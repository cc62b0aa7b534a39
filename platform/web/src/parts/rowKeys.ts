/** J/K move over the rows of a table, Enter opens: rows are their links, so the browser does the rest. */
import type { RefObject } from 'react'
import { useKeys } from '../keys/useKeys'

export function useRowKeys(table: RefObject<HTMLElement | null>): void {
  const move = (step: number) => {
    const links = [...(table.current?.querySelectorAll<HTMLElement>('.row-link') ?? [])]
    if (links.length === 0) return
    const at = links.indexOf(document.activeElement as HTMLElement)
    const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step
    links[Math.min(links.length - 1, Math.max(0, next))]?.focus()
  }
  useKeys('list', [
    { keys: 'j', label: 'keys.row_next', run: () => move(1) },
    { keys: 'k', label: 'keys.row_previous', run: () => move(-1) },
  ])
}
