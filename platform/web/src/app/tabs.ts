/** The browser's other tabs: who signs out in one is signed out in all. */
const channel =
  typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('poppo.session')

export function announceSignOut(): void {
  channel?.postMessage('signed-out')
}

export function onSignOutElsewhere(run: () => void): () => void {
  channel?.addEventListener('message', run)
  return () => channel?.removeEventListener('message', run)
}
