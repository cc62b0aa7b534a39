/** Times as people say them: relative on the page, absolute on hover and for machines. */
import { useSyncExternalStore } from 'react'
import type { Execution } from '../api/types'
import { formatAbsolute, formatClock, formatRelative } from '../i18n/format'
import { useLanguage } from '../i18n/t'

/** One clock for the page: every relative time moves at the same tick. */
let now = Date.now()
let ticking: ReturnType<typeof setInterval> | null = null
const listeners = new Set<() => void>()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  ticking ??= setInterval(() => {
    now = Date.now()
    for (const each of listeners) each()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0 && ticking !== null) {
      clearInterval(ticking)
      ticking = null
    }
  }
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, () => {
    if (ticking === null) now = Date.now()
    return Math.floor(now / 1000) * 1000
  })
}

export function RelativeTime({ at }: { at: string | null }) {
  const current = useNow()
  useLanguage()
  if (at === null) return <>—</>
  const time = Date.parse(at)
  return (
    <time dateTime={at} title={formatAbsolute(time)} className="nowrap">
      {formatRelative(Math.min(time, current), current)}
    </time>
  )
}

export function AbsoluteTime({ at }: { at: string | null }) {
  useLanguage()
  if (at === null) return <>—</>
  return <time dateTime={at}>{formatAbsolute(Date.parse(at))}</time>
}

/** From `start` to `end`, or ticking until now. */
export function Elapsed({ start, end }: { start: string | null; end: string | null }) {
  if (start === null) return <>—</>
  if (end !== null) return <>{formatClock(Date.parse(end) - Date.parse(start))}</>
  return <Ticking start={start} />
}

function Ticking({ start, before = 0 }: { start: string; before?: number }) {
  const current = useNow()
  return <>{formatClock(before + Math.max(0, current - Date.parse(start)))}</>
}

/** Time at work: what its attempts took; the clock stands while it waits for a person or a turn. */
export function Worked(props: { execution: Pick<Execution, 'active_ms' | 'active_since'> }) {
  const { active_ms, active_since } = props.execution
  if (active_since !== null) return <Ticking start={active_since} before={active_ms} />
  return <>{active_ms > 0 ? formatClock(active_ms) : '—'}</>
}
