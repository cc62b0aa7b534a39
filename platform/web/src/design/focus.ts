import type { FocusEvent } from 'react'

/** A `ref` that gives the focus to what just appeared, in time for a dialog's own focus rules. */
export function focusOnMount(element: HTMLElement | null): void {
  element?.focus()
}

/** In a row that scrolls: what gets the focus is seen whole, not only its edge. */
export function showWhole(event: FocusEvent<HTMLElement>): void {
  event.target.scrollIntoView({ block: 'nearest', inline: 'nearest' })
}
