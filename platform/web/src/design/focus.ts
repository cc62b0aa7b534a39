/** A `ref` that gives the focus to what just appeared, in time for a dialog's own focus rules. */
export function focusOnMount(element: HTMLElement | null): void {
  element?.focus()
}
