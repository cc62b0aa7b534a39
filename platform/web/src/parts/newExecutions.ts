/**
 * New executions on a list that is being read. Rows that are shown are patched in place; a row that
 * is new is fetched at once when nobody is pointing at the table, else counted for a button, so that
 * nothing moves under the pointer.
 */
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react'
import type { Execution } from '../api/types'
import { useTopic } from '../realtime/live'

export function useNewExecutions(options: {
  shown: Execution[] | undefined
  area: RefObject<HTMLElement | null>
  wanted: (execution: Execution) => boolean
  refetch: () => void
}): { count: number; show: () => void } {
  const [unseen, setUnseen] = useState<ReadonlySet<string>>(new Set())
  const latest = useRef(options)
  useEffect(() => {
    latest.current = options
  })

  useTopic('executions', (message) => {
    if (message.type !== 'event' || message.event !== 'execution') return
    const execution = message.data as Execution
    const { shown, area, wanted, refetch } = latest.current
    if (!shown || shown.some((each) => each.id === execution.id) || !wanted(execution)) return
    const busy = area.current?.matches(':hover, :focus-within') ?? false
    if (busy && shown.length > 0) setUnseen((ids) => new Set(ids).add(execution.id))
    else refetch()
  })

  const { shown } = options
  useEffect(() => {
    setUnseen((ids) => {
      const left = [...ids].filter((id) => !shown?.some((each) => each.id === id))
      return left.length === ids.size ? ids : new Set(left)
    })
  }, [shown])

  const show = useCallback(() => {
    setUnseen(new Set())
    latest.current.refetch()
  }, [])
  return { count: unseen.size, show }
}
