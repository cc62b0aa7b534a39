/** Overlays as lazy components. `prefetchOverlays` fetches their chunk before it is needed. */
import { type ComponentProps, lazy, Suspense } from 'react'

const loaders = {
  confirm: () => import('./ConfirmDialog'),
  menu: () => import('./Menu'),
  dialog: () => import('./Dialog'),
}

/** Fetches a chunk before it is needed. What fails now is told by whoever needs it then. */
export function warm(load: () => Promise<unknown>): void {
  load().catch(() => {})
}

export function prefetchOverlays(): void {
  warm(loaders.menu)
  warm(loaders.confirm)
}

const LazyConfirm = lazy(loaders.confirm)
const LazyMenu = lazy(loaders.menu)
const LazyDialog = lazy(loaders.dialog)

export function ConfirmDialog(props: ComponentProps<typeof LazyConfirm>) {
  return (
    <Suspense fallback={null}>
      <LazyConfirm {...props} />
    </Suspense>
  )
}

export function Menu(props: ComponentProps<typeof LazyMenu>) {
  return (
    <Suspense fallback={null}>
      <LazyMenu {...props} />
    </Suspense>
  )
}

export function Dialog(props: ComponentProps<typeof LazyDialog>) {
  return (
    <Suspense fallback={null}>
      <LazyDialog {...props} />
    </Suspense>
  )
}
