/** Short messages at the edge. Good news leaves by itself; bad news stays until it is dismissed. */
import { CircleAlert, CircleCheck, X } from 'lucide-react'
import { useSyncExternalStore } from 'react'
import { describe, isApiError } from '../api/problem'
import { t, useT } from '../i18n/t'
import { IconButton } from './Button'

interface Toast {
  id: number
  tone: 'ok' | 'fail'
  text: string
  requestId?: string
}

const goodMs = 5000
const mostShown = 3

let toasts: Toast[] = []
let nextId = 1
const listeners = new Set<() => void>()
const timers = new Map<number, ReturnType<typeof setTimeout>>()

function change(next: Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

function dismiss(id: number): void {
  clearTimeout(timers.get(id))
  timers.delete(id)
  change(toasts.filter((toast) => toast.id !== id))
}

function leaveLater(id: number): void {
  clearTimeout(timers.get(id))
  timers.set(
    id,
    setTimeout(() => dismiss(id), goodMs),
  )
}

export function toast(tone: Toast['tone'], text: string, requestId?: string): void {
  const id = nextId++
  change([...toasts, { id, tone, text, requestId }].slice(-mostShown))
  if (tone === 'ok') leaveLater(id)
}

export function toastError(error: unknown): void {
  toast('fail', describe(error, t), isApiError(error) ? error.requestId : undefined)
}

export function clearToasts(): void {
  for (const { id } of toasts) dismiss(id)
}

export function Toasts() {
  const tr = useT()
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
  return (
    <section className="toasts" aria-label={tr('toast.region')} aria-live="polite">
      {shown.map((item) => (
        // biome-ignore lint/a11y/noStaticElementInteractions: only holds the timer while it is read
        <div
          key={item.id}
          className="toast"
          data-tone={item.tone}
          role={item.tone === 'fail' ? 'alert' : undefined}
          onMouseEnter={() => clearTimeout(timers.get(item.id))}
          onMouseLeave={() => item.tone === 'ok' && leaveLater(item.id)}
        >
          {item.tone === 'ok' ? (
            <CircleCheck size={18} aria-hidden="true" />
          ) : (
            <CircleAlert size={18} aria-hidden="true" />
          )}
          <div className="toast-text">
            {item.text}
            {item.requestId && (
              <div className="muted">
                {tr('error.request_id')} <code>{item.requestId}</code>
              </div>
            )}
          </div>
          <IconButton label={tr('action.close')} onClick={() => dismiss(item.id)}>
            <X size={16} />
          </IconButton>
        </div>
      ))}
    </section>
  )
}
