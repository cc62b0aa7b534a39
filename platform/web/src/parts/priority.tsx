/** How urgent work is, least first, and what that is called. */
import type { SelectHTMLAttributes } from 'react'
import type { Execution } from '../api/types'
import { type Key, useT } from '../i18n/t'

export type Priority = Execution['priority']

export const priorityLabel: Record<Priority, Key> = {
  low: 'priority.low',
  normal: 'priority.normal',
  high: 'priority.high',
  critical: 'priority.critical',
}

export function PrioritySelect(
  props: SelectHTMLAttributes<HTMLSelectElement> & { defaultValue: Priority },
) {
  const t = useT()
  return (
    <select {...props} className="input">
      {Object.entries(priorityLabel).map(([value, label]) => (
        <option key={value} value={value}>
          {t(label)}
        </option>
      ))}
    </select>
  )
}
