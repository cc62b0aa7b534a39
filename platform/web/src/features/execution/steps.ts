/** Where an execution is on its way: five steps, from its status, its attempt and its reason. */
import type { Attempt, Execution } from '../../api/types'
import { isFinal } from '../../design/Status'

export type StepName = 'queue' | 'prepare' | 'work' | 'publish' | 'done'
export type StepState = 'done' | 'now' | 'ahead' | 'failed' | 'cancelled' | 'waiting' | 'skipped'

export interface Step {
  name: StepName
  state: StepState
}

const names: StepName[] = ['queue', 'prepare', 'work', 'publish', 'done']

/** Failures that belong to getting ready or to publishing; all others happened at work. */
const preparing = new Set([
  'cli_missing',
  'disk',
  'invalid_settings',
  'no_node',
  'node_lost',
  'repo_empty',
  'repo_gone',
  'sandbox',
  'workspace',
])
const publishing = new Set(['publish_refused', 'push_rejected'])

function reached(execution: Execution, attempt: Attempt | undefined): StepName {
  switch (execution.status) {
    case 'queued':
    case 'assigned':
      return 'queue'
    case 'preparing':
      return 'prepare'
    case 'running':
    case 'cancelling':
      return attempt?.status === 'publishing' ? 'publish' : 'work'
    case 'waiting_input':
    case 'waiting_approval':
    case 'waiting_quota':
      return 'work'
    default:
      return 'done'
  }
}

function failedAt(execution: Execution): StepName {
  if (execution.started_at === null) return 'queue'
  const kind = execution.reason?.kind ?? ''
  if (preparing.has(kind)) return 'prepare'
  if (publishing.has(kind)) return 'publish'
  return 'work'
}

export function steps(execution: Execution): Step[] {
  const attempt = execution.attempts?.at(-1)
  if (execution.status === 'succeeded') {
    return names.map((name) => ({
      name,
      state: name === 'publish' && execution.no_changes ? 'skipped' : 'done',
    }))
  }
  const final = isFinal(execution.status)
  const at = names.indexOf(final ? failedAt(execution) : reached(execution, attempt))
  const here: StepState = final
    ? execution.status === 'cancelled'
      ? 'cancelled'
      : 'failed'
    : execution.status.startsWith('waiting')
      ? 'waiting'
      : 'now'
  const after: StepState = final ? 'skipped' : 'ahead'
  return names.map((name, i) => ({ name, state: i < at ? 'done' : i === at ? here : after }))
}
