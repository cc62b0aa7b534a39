/** What a list shows lives in the address: filters, search, page. */
import { useCallback } from 'react'
import { useLocation, useNavigate, useSearchParams } from 'react-router'

export function useUrlState() {
  const [params, setParams] = useSearchParams()
  /** Sets one filter and goes back to the first page. */
  const set = useCallback(
    (name: string, value: string) =>
      setParams(
        (current) => {
          const next = new URLSearchParams(current)
          if (value) next.set(name, value)
          else next.delete(name)
          next.delete('cursor')
          return next
        },
        { replace: true },
      ),
    [setParams],
  )
  return { get: (name: string) => params.get(name) ?? '', set, params }
}

/** The address with one filter changed, for links. */
export function withFilter(params: URLSearchParams, name: string, value: string): string {
  const next = new URLSearchParams(params)
  if (value) next.set(name, value)
  else next.delete(name)
  next.delete('cursor')
  const text = next.toString()
  return text ? `?${text}` : '?'
}

/**
 * Pages by keyset: the server knows the way forward only, so the way back is kept with the history
 * entry; without it (a link from outside) "newer" means the first page.
 */
export function usePager(nextCursor: string | null | undefined) {
  const navigate = useNavigate()
  const location = useLocation()
  const [params] = useSearchParams()
  const trail = (location.state as { trail?: string[] } | null)?.trail ?? []
  const cursor = params.get('cursor') ?? ''

  const go = (to: string, nextTrail: string[]) => {
    const next = new URLSearchParams(params)
    if (to) next.set('cursor', to)
    else next.delete('cursor')
    navigate({ search: next.toString() }, { state: { trail: nextTrail } })
    scrollTo(0, 0)
  }
  return {
    cursor,
    page: trail.length + 1,
    newer: cursor ? () => go(trail.at(-1) ?? '', trail.slice(0, -1)) : null,
    older: nextCursor ? () => go(nextCursor, [...trail, cursor]) : null,
  }
}
