/** One execution: where it is, its log live, what came of it. */
import { CircleStop, RotateCw } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Navigate, NavLink, useLocation, useNavigate, useParams } from 'react-router'
import {
  useCancelExecutionMutation,
  useGetExecutionQuery,
  useListRemarksQuery,
} from '../../api/executions'
import { isApiError } from '../../api/problem'
import type { Execution } from '../../api/types'
import { useSetCrumbs } from '../../app/crumbs'
import { Button } from '../../design/Button'
import { ExternalLink } from '../../design/ExternalLink'
import { ErrorNotice, SkeletonPage, SkeletonText } from '../../design/feedback'
import { Card, Facts, Page, useTitle } from '../../design/Page'
import { ExecutionBadge, executionLook, isFinal, StatusText } from '../../design/Status'
import { AbsoluteTime, Worked } from '../../design/Time'
import { formatCompact, formatCost, formatNumber } from '../../i18n/format'
import { type Key, useT } from '../../i18n/t'
import { useKeys } from '../../keys/useKeys'
import { ConfirmDialog, warm } from '../../overlay/lazy'
import { inputTokens, triggerLabel } from '../../parts/ExecutionTable'
import { NodeName } from '../../parts/NodeName'
import NotFoundPage from '../../parts/NotFoundPage'
import { useWhyNot } from '../../parts/permissions'
import { usePolling, useTopic } from '../../realtime/live'
import './execution.css'
import { Steps } from './Steps'
import { Summary } from './Summary'
import { useStatusIcon } from './statusIcon'

const RetryDialog = lazy(() => import('./RetryDialog'))
const loadLog = () => import('./ExecutionLog')
const ExecutionLog = lazy(loadLog)

type Tab = 'summary' | 'log'

function Overview({ execution }: { execution: Execution }) {
  const t = useT()
  const { usage } = execution
  const rows: Parameters<typeof Facts>[0]['rows'] = [
    [t('execution.status'), <StatusText key="s" look={executionLook[execution.status]} />],
    [t('execution.duration'), <Worked key="d" execution={execution} />],
    [t('execution.model'), execution.model || t('execution.model_default')],
    [
      t('execution.tokens_in_out'),
      usage.calls > 0
        ? `${formatCompact(inputTokens(usage))} / ${formatCompact(usage.output_tokens)}`
        : '—',
    ],
    [t('execution.turns'), formatNumber(usage.num_turns)],
    [t('execution.cost'), formatCost(execution.cost_usd)],
    [t('execution.node'), <NodeName key="n" id={execution.node_id} />],
    [t('execution.attempts'), formatNumber(execution.attempt_count)],
    [t('execution.trigger'), t(triggerLabel[execution.trigger])],
    [t('execution.requested_by'), execution.requested_by ?? '—'],
    [t('execution.created'), <AbsoluteTime key="c" at={execution.created_at} />],
    [t('execution.started'), <AbsoluteTime key="st" at={execution.started_at} />],
    [t('execution.ended'), <AbsoluteTime key="e" at={execution.completed_at} />],
  ]
  return (
    <Card title={t('execution.overview')}>
      <div className="card-body">
        <Facts rows={rows} />
      </div>
    </Card>
  )
}

function whatCancelDoes(status: Execution['status']): Key {
  if (status === 'queued' || status === 'assigned') return 'cancel.text_queued'
  return status.startsWith('waiting') ? 'cancel.text_waiting' : 'cancel.text'
}

function Actions({ execution }: { execution: Execution }) {
  const t = useT()
  const why = useWhyNot('RUN')
  const [dialog, setDialog] = useState<'cancel' | 'retry' | null>(null)
  const [cancel] = useCancelExecutionMutation()
  const final = isFinal(execution.status)
  const stopping = execution.status === 'cancelling'

  useKeys('execution', [
    {
      keys: 'Shift+x',
      label: 'keys.cancel',
      run: () => !final && !stopping && !why && setDialog('cancel'),
    },
    { keys: 'Shift+r', label: 'keys.retry', run: () => final && !why && setDialog('retry') },
  ])

  return (
    <>
      {final ? (
        <Button icon={<RotateCw size={15} />} why={why} onClick={() => setDialog('retry')}>
          {t('execution.retry')}
        </Button>
      ) : (
        <Button
          danger
          icon={<CircleStop size={16} />}
          busy={stopping}
          why={why}
          onClick={() => setDialog('cancel')}
        >
          {stopping ? t('execution.cancelling') : t('execution.cancel')}
        </Button>
      )}
      {dialog === 'cancel' && (
        <ConfirmDialog
          title={t('cancel.title')}
          confirm={t('execution.cancel')}
          dismiss={t('cancel.keep')}
          danger
          onConfirm={() => cancel(execution.id).unwrap()}
          onClose={() => setDialog(null)}
        >
          <p>{t(whatCancelDoes(execution.status))}</p>
        </ConfirmDialog>
      )}
      {dialog === 'retry' && (
        <Suspense fallback={null}>
          <RetryDialog execution={execution} onClose={() => setDialog(null)} />
        </Suspense>
      )}
    </>
  )
}

function Loaded({ execution, tab }: { execution: Execution; tab: Tab }) {
  const t = useT()
  const navigate = useNavigate()
  const { project, number, issue_number } = execution
  const base = `/executions/${execution.id}`
  const title = execution.title || t('execution.untitled', { number })
  const word = t(executionLook[execution.status].label)
  useTitle(`#${issue_number ?? number} ${word}`, project.name)
  useStatusIcon(executionLook[execution.status].tone)
  useSetCrumbs([
    { label: t('projects.title'), to: '/projects' },
    { label: project.name, to: `/projects/${project.id}` },
    { label: t('executions.title'), to: `/executions?project=${project.id}` },
    { label: `#${number}` },
  ])
  useKeys('execution', [
    { keys: '1', label: 'keys.tab_summary', run: () => navigate(`${base}/summary`) },
    { keys: '2', label: 'keys.tab_log', run: () => navigate(`${base}/log`) },
    { keys: 'l', label: 'keys.tab_log', run: () => navigate(`${base}/log`) },
  ])

  return (
    <Page
      title={
        <>
          <ExecutionBadge status={execution.status} />
          <span>{title}</span>
          {issue_number !== null && <span className="title-number">#{issue_number}</span>}
        </>
      }
      sub={
        <>
          <NavLink to={`/projects/${project.id}`}>{project.name}</NavLink>
          <span>{t('execution.number', { number: String(number) })}</span>
          {execution.issue_url && issue_number !== null && (
            <span>
              <ExternalLink href={execution.issue_url}>Issue #{issue_number}</ExternalLink>
            </span>
          )}
          {execution.pull_request && (
            <span>
              <ExternalLink href={execution.pull_request.url}>
                {t('execution.pull_request', { number: String(execution.pull_request.number) })}
              </ExternalLink>
            </span>
          )}
          {execution.branch && <code className="break">{execution.branch}</code>}
        </>
      }
      actions={<Actions execution={execution} />}
    >
      <p className="visually-hidden" role="status">
        {word}
      </p>
      <nav className="tabs" aria-label={t('execution.tabs')}>
        <NavLink to={`${base}/summary`}>{t('execution.tab_summary')}</NavLink>
        <NavLink to={`${base}/log`}>{t('execution.tab_log')}</NavLink>
      </nav>
      <div className="columns">
        <div className="column">
          <Steps execution={execution} />
          {tab === 'log' ? (
            <Suspense fallback={<SkeletonText lines={6} />}>
              <ExecutionLog key={execution.id} execution={execution} />
            </Suspense>
          ) : (
            <Summary execution={execution} />
          )}
        </div>
        <div className="column">
          <Overview execution={execution} />
        </div>
      </div>
    </Page>
  )
}

export default function ExecutionPage() {
  const { id = '', tab } = useParams()
  const t = useT()
  const { hash } = useLocation()
  const query = useGetExecutionQuery(id, usePolling())
  useTopic(`execution:${id}`)
  // Asked for beside the execution, so that the summary appears in one piece.
  useListRemarksQuery(id, { skip: tab === 'log' })
  const execution = query.data?.id === id ? query.data : undefined

  // Most visits are to what is over; who comes for the log gets its code beside the data, not after it.
  useEffect(() => {
    if (tab !== 'summary') warm(loadLog)
  }, [tab])

  // Without a tab the address means: the log while it runs, the summary when it is over.
  const [first, setFirst] = useState<Tab | null>(null)
  const status = execution?.status
  useEffect(() => {
    if (status) setFirst(isFinal(status) || status.startsWith('waiting') ? 'summary' : 'log')
  }, [status])

  if (query.error && !execution) {
    if (isApiError(query.error) && query.error.status === 404) return <NotFoundPage />
    return (
      <div className="page">
        <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />
      </div>
    )
  }
  if (!execution) return <SkeletonPage title={t('executions.title')} />
  if (tab === undefined) {
    const target = hash.startsWith('#L') ? 'log' : first
    return target ? <Navigate to={`/executions/${id}/${target}${hash}`} replace /> : null
  }
  if (tab !== 'summary' && tab !== 'log') return <NotFoundPage />
  return <Loaded key={id} execution={execution} tab={tab} />
}
