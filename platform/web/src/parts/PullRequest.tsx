/**
 * The pull request of an execution. It is opened by the platform a moment after the branch was
 * pushed, so there is a time between "succeeded" and the link; GitHub may also be slow, or there may
 * be nothing to open (then the log says why).
 */
import { GitPullRequest } from 'lucide-react'
import type { Execution } from '../api/types'
import { isWebAddress } from '../design/ExternalLink'
import { Spinner } from '../design/feedback'
import { useNow } from '../design/Time'
import { useT } from '../i18n/t'
import './parts.css'

const patienceMs = 60_000

function isPushedWithoutOne(execution: Execution): boolean {
  const pushed = execution.head_sha !== null && !execution.no_changes
  const ended = execution.status === 'succeeded' || execution.status === 'waiting_input'
  return pushed && ended && execution.pull_request === null
}

/** Pushed for an issue, and not linked yet. */
export function awaitsPullRequest(execution: Execution): boolean {
  return isPushedWithoutOne(execution) && execution.issue_number !== null
}

/** Work without an issue gets a branch, and no pull request by itself. */
export function getsBranchOnly(execution: Execution): boolean {
  return isPushedWithoutOne(execution) && execution.issue_number === null
}

/** Whether it should be there any moment; false when that has taken too long. */
export function useIsOpening(execution: Execution): boolean {
  return useNow() - Date.parse(execution.completed_at ?? execution.updated_at) < patienceMs
}

function Opening({ execution }: { execution: Execution }) {
  const t = useT()
  if (!useIsOpening(execution)) return <span className="muted">—</span>
  return (
    <span className="pr-link muted" title={t('execution.pull_request_opening')}>
      <Spinner size={14} />
      <span className="visually-hidden">{t('execution.pull_request_opening')}</span>
    </span>
  )
}

/** For table cells. */
export function PullRequestLink({ execution }: { execution: Execution }) {
  const t = useT()
  const pull = execution.pull_request
  if (!pull && awaitsPullRequest(execution)) return <Opening execution={execution} />
  if (!pull) return <span className="muted">—</span>
  const name = (
    <>
      <GitPullRequest size={14} aria-hidden="true" />#{pull.number}
    </>
  )
  if (!isWebAddress(pull.url)) return <span className="pr-link">{name}</span>
  return (
    <a href={pull.url} target="_blank" rel="noreferrer noopener" className="pr-link">
      {name}
      <span className="visually-hidden">{t('link.new_tab')}</span>
    </a>
  )
}
