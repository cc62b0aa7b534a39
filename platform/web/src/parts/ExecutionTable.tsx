/** Executions as rows: on the list, on the dashboard, on a project's page. */
import { CirclePlay } from 'lucide-react'
import { type ReactNode, useRef } from 'react'
import { Link } from 'react-router'
import type { Execution } from '../api/types'
import { Empty, SkeletonRows } from '../design/feedback'
import { ExecutionBadge } from '../design/Status'
import { RelativeTime, Worked } from '../design/Time'
import { formatCompact, formatCost } from '../i18n/format'
import { type Key, pick, useLanguage, useT } from '../i18n/t'
import { PullRequestLink } from './PullRequest'
import './parts.css'
import { useRowKeys } from './rowKeys'

export const triggerLabel: Record<Execution['trigger'], Key> = {
  label: 'trigger.label',
  comment: 'trigger.comment',
  ui: 'trigger.ui',
  api: 'trigger.api',
  retry: 'trigger.retry',
  schedule: 'trigger.schedule',
  webhook: 'trigger.webhook',
}

/** Why it waits or failed, in one line under the title. */
export function executionNote(execution: Execution, language: 'ja' | 'en'): string | null {
  if (execution.queued_reason && execution.status === 'queued')
    return pick(execution.queued_reason, language)
  if (execution.reason && execution.status !== 'succeeded') return pick(execution.reason, language)
  return null
}

/** Everything that was sent and received, cached or not. */
export function totalTokens(usage: Execution['usage']): number {
  return inputTokens(usage) + usage.output_tokens
}

export function inputTokens(usage: Execution['usage']): number {
  return usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
}

function Row({ execution, project }: { execution: Execution; project: boolean }) {
  const t = useT()
  const language = useLanguage()
  const note = executionNote(execution, language)
  return (
    <tr>
      <td>
        <ExecutionBadge status={execution.status} />
      </td>
      <td className="cell-title">
        <div className="cell-main">
          <Link className="row-link" to={`/executions/${execution.id}`}>
            {execution.title || t('execution.untitled', { number: execution.number })}
          </Link>
          {execution.issue_number !== null && (
            <span className="muted">#{execution.issue_number}</span>
          )}
        </div>
        {note && <div className="muted row-note">{note}</div>}
      </td>
      {project && (
        <td>
          <Link
            className="muted project-link"
            to={`/projects/${execution.project.id}`}
            title={execution.project.name}
          >
            {execution.project.name}
          </Link>
        </td>
      )}
      <td className="wide-only roomy nowrap">{t(triggerLabel[execution.trigger])}</td>
      <td className={execution.pull_request ? undefined : 'wide-only'}>
        <PullRequestLink execution={execution} />
      </td>
      <td
        className={execution.started_at === null ? 'num wide-only' : 'num'}
        data-label={t('execution.duration')}
      >
        <Worked execution={execution} />
      </td>
      <td className="num wide-only roomiest">
        {execution.usage.calls > 0 ? formatCompact(totalTokens(execution.usage)) : '—'}
      </td>
      <td className={execution.cost_usd === null ? 'num wide-only' : 'num'}>
        {formatCost(execution.cost_usd)}
      </td>
      <td className="num cell-when">
        <RelativeTime at={execution.created_at} />
      </td>
    </tr>
  )
}

const skeleton = ['', 'cell-title', '', 'wide-only roomy', '', '', 'wide-only roomiest', '', '']

export function ExecutionTable(props: {
  items: Execution[] | undefined
  loading: boolean
  refreshing?: boolean
  label: string
  /** Leave the project's column out (on the project's own page). */
  hideProject?: boolean
  empty: ReactNode
}) {
  const t = useT()
  const body = useRef<HTMLTableElement>(null)
  useRowKeys(body)
  const project = !props.hideProject
  if (!props.loading && props.items?.length === 0) return <>{props.empty}</>
  return (
    <div className={`table-wrap ${props.refreshing ? 'refreshing' : ''}`}>
      <table ref={body} className="table table-cards" aria-label={props.label}>
        <thead>
          <tr>
            <th scope="col">{t('execution.status')}</th>
            <th scope="col" className="cell-title">
              {t('execution.what')}
            </th>
            {project && <th scope="col">{t('execution.project')}</th>}
            <th scope="col" className="roomy">
              {t('execution.trigger')}
            </th>
            <th scope="col">{t('execution.pull_request_short')}</th>
            <th scope="col" className="num">
              {t('execution.duration')}
            </th>
            <th scope="col" className="num roomiest">
              {t('execution.tokens')}
            </th>
            <th scope="col" className="num">
              {t('execution.cost')}
            </th>
            <th scope="col" className="num">
              {t('execution.created')}
            </th>
          </tr>
        </thead>
        <tbody>
          {props.items ? (
            props.items.map((execution) => (
              <Row key={execution.id} execution={execution} project={project} />
            ))
          ) : (
            <SkeletonRows
              rows={6}
              columns={project ? skeleton : skeleton.filter((_name, i) => i !== 2)}
            />
          )}
        </tbody>
      </table>
    </div>
  )
}

export function NoExecutions({ children, action }: { children: ReactNode; action?: ReactNode }) {
  const t = useT()
  return (
    <Empty icon={<CirclePlay size={36} />} title={t('executions.empty')} action={action}>
      {children}
    </Empty>
  )
}
