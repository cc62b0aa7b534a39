/** The first page: what runs, what needs a person, how the projects are. */
import { ArrowRight, Plus, Rocket } from 'lucide-react'
import { type ReactNode, useRef } from 'react'
import { Link } from 'react-router'
import { useListExecutionsQuery } from '../../api/executions'
import { useListProjectsQuery } from '../../api/projects'
import { queuePolling, useGetQueueQuery } from '../../api/queue'
import { useGetStatsQuery, useListNodesQuery } from '../../api/system'
import type { Execution, PlatformNode, Project, Queue, Stats } from '../../api/types'
import { useSetCrumbs } from '../../app/crumbs'
import { ButtonLink } from '../../design/Button'
import { ErrorNotice, RefreshNotice } from '../../design/feedback'
import { Card, Page, useTitle } from '../../design/Page'
import { Badge, executionLook, Glyph, type Look, nodeLook, projectLook } from '../../design/Status'
import { RelativeTime } from '../../design/Time'
import { formatCost, formatNumber } from '../../i18n/format'
import { type Key, pick, useLanguage, useT } from '../../i18n/t'
import { ExecutionTable, NoExecutions } from '../../parts/ExecutionTable'
import { useNewExecutions } from '../../parts/newExecutions'
import { ProjectTable } from '../../parts/ProjectTable'
import { useMay } from '../../parts/permissions'
import { usePolling, useTopic } from '../../realtime/live'
import './dashboard.css'

function Figure(props: {
  label: string
  value: string | undefined
  look?: Look
  note?: ReactNode
  to?: string
}) {
  const head = (
    <>
      {props.look && <Glyph shape={props.look.shape} />}
      {props.label}
    </>
  )
  return (
    <div className="card figure" data-tone={props.look?.tone}>
      {props.to ? (
        <Link
          className="figure-label"
          to={props.to}
          aria-label={props.value && `${props.label}: ${props.value}`}
        >
          {head}
        </Link>
      ) : (
        <span className="figure-label">{head}</span>
      )}
      <span className="figure-value">
        {props.value ?? <span className="skeleton figure-skeleton" />}
        {props.note && <span className="figure-note">{props.note}</span>}
      </span>
    </div>
  )
}

function Figures({ stats, forQuota }: { stats: Stats | undefined; forQuota: number }) {
  const t = useT()
  const number = (value: number | undefined) =>
    value === undefined ? undefined : formatNumber(value)
  const finished = stats && stats.succeeded_24h + stats.failed_24h
  const rate =
    stats && finished
      ? `${formatNumber(Math.round((stats.succeeded_24h / finished) * 1000) / 10)}%`
      : '—'
  return (
    <section className="figures" aria-label={t('dashboard.figures')}>
      <Figure
        label={t('status.running')}
        look={executionLook.running}
        value={number(stats?.running)}
        to="/executions?status=assigned,preparing,running,cancelling"
      />
      <Figure
        label={t('status.queued')}
        look={executionLook.queued}
        value={number(stats?.queued)}
        to="/executions?status=queued"
      />
      <Figure
        label={t('projects.waiting')}
        look={executionLook.waiting_input}
        value={number(stats?.waiting)}
        note={forQuota > 0 && t('dashboard.waiting_quota', { count: forQuota })}
        to="/executions?status=waiting_input,waiting_approval,waiting_quota"
      />
      <Figure
        label={t('dashboard.success_rate')}
        look={executionLook.succeeded}
        value={stats && rate}
        note={
          stats && finished
            ? `${formatNumber(stats.succeeded_24h)} / ${formatNumber(finished)}`
            : undefined
        }
      />
      <Figure label={t('dashboard.cost')} value={stats && formatCost(stats.cost_usd_24h)} />
      <Figure
        label={t('dashboard.agents')}
        value={number(stats?.agents_running)}
        note={stats && `/ ${formatNumber(stats.projects)}`}
        to="/projects"
      />
    </section>
  )
}

interface Concern {
  key: string
  look: Look
  title: string
  text: ReactNode
  to: string
  action: Key
}

function pausedQueue(queue: Queue | undefined, t: ReturnType<typeof useT>): Concern[] {
  if (!queue?.pause) return []
  const { by, note } = queue.pause
  return [
    {
      key: 'queue',
      look: { tone: 'warn', shape: 'pause', label: 'project.status.paused' },
      title: t('dashboard.queue_paused'),
      text: note ?? t('queue.paused_by', { who: by }),
      to: '/executions#queue',
      action: 'dashboard.open',
    },
  ]
}

function concerns(
  projects: Project[],
  executions: Execution[],
  nodes: PlatformNode[],
  t: ReturnType<typeof useT>,
  language: 'ja' | 'en',
): Concern[] {
  const out: Concern[] = []
  const later: Concern[] = [] // a quota ends by itself; the rest needs a person
  for (const execution of executions) {
    const into = execution.status === 'waiting_quota' ? later : out
    into.push({
      key: execution.id,
      look: executionLook[execution.status],
      title: execution.title,
      text: `${execution.project.name}${execution.issue_number ? ` #${execution.issue_number}` : ''}`,
      to: `/executions/${execution.id}/summary`,
      action: execution.status === 'waiting_input' ? 'dashboard.answer' : 'dashboard.open',
    })
  }
  for (const project of projects) {
    if (project.status !== 'active') continue
    if (project.health !== 'failing' && project.health !== 'misconfigured') continue
    out.push({
      key: project.id,
      look: projectLook({ ...project, counts: { running: 0 } }),
      title: project.name,
      text: project.health_reason ? pick(project.health_reason, language) : '',
      to: `/projects/${project.id}`,
      action: 'dashboard.open',
    })
  }
  for (const node of nodes) {
    if (node.status === 'online') continue
    out.push({
      key: node.id,
      look: nodeLook.offline,
      title: node.name,
      text: (
        <>
          {t('nodes.last_seen')} <RelativeTime at={node.last_seen_at} />
        </>
      ),
      to: '/nodes',
      action: 'dashboard.open',
    })
  }
  return [...out, ...later]
}

function Attention({ items }: { items: Concern[] }) {
  const t = useT()
  if (items.length === 0) return null
  return (
    <Card
      title={
        <>
          {t('dashboard.attention')} <span className="nav-count">{formatNumber(items.length)}</span>
        </>
      }
    >
      <ul className="attention">
        {items.map((item) => (
          <li key={item.key}>
            <span className="attention-look">
              <Badge look={item.look} />
            </span>
            <div className="attention-text">
              <b className="two-lines">{item.title}</b>
              {item.text && <span className="muted">{item.text}</span>}
            </div>
            <ButtonLink small to={item.to} aria-label={`${t(item.action)}: ${item.title}`}>
              {t(item.action)}
            </ButtonLink>
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** Nothing here yet: the three things to have at hand, and the one button. */
function FirstSteps() {
  const t = useT()
  const manage = useMay('MANAGE')
  return (
    <section className="card first-steps">
      <Rocket size={36} aria-hidden="true" />
      <h2>{t('first.title')}</h2>
      <ol>
        <li>
          <b>{t('first.repository')}</b>
          <span className="muted">{t('first.repository_text')}</span>
        </li>
        <li>
          <b>{t('first.key')}</b>
          <span className="muted">{t('first.key_text')}</span>
        </li>
        <li>
          <b>{t('first.label')}</b>
          <span className="muted">{t('first.label_text')}</span>
        </li>
      </ol>
      {manage && (
        <ButtonLink primary to="/projects/new" icon={<Plus size={16} />}>
          {t('projects.new')}
        </ButtonLink>
      )}
    </section>
  )
}

const recent = { limit: 8 }
const waiting = { status: 'waiting_input,waiting_approval,waiting_quota', limit: 10 }

export default function DashboardPage() {
  const t = useT()
  const language = useLanguage()
  const polling = usePolling()
  const stats = useGetStatsQuery(undefined, polling)
  const projects = useListProjectsQuery({ limit: 50 }, polling)
  const latest = useListExecutionsQuery(recent, polling)
  const needs = useListExecutionsQuery(waiting, polling)
  const nodes = useListNodesQuery(undefined, polling)
  const queue = useGetQueueQuery(undefined, queuePolling)
  const area = useRef<HTMLDivElement>(null)
  const manage = useMay('MANAGE')
  useTitle(t('nav.dashboard'))
  useSetCrumbs([{ label: t('nav.dashboard') }])
  useTopic('projects')
  const fresh = useNewExecutions({
    shown: latest.data?.items,
    area,
    wanted: () => true,
    refetch: () => {
      void latest.refetch()
      void needs.refetch()
    },
  })

  // Live events patch what was read: what waits now may be in either list, and may wait no longer.
  const waitingNow = new Map(
    [...(needs.data?.items ?? []), ...(latest.data?.items ?? [])]
      .filter((execution) => execution.status.startsWith('waiting'))
      .map((execution) => [execution.id, execution]),
  )
  const forQuota = [...waitingNow.values()].filter((each) => each.status === 'waiting_quota').length
  const items = projects.data?.items
  const error = projects.error ?? latest.error ?? stats.error
  const failed = error !== undefined
  const nothing = failed && !stats.data && !items && !latest.data
  const again = () => {
    void stats.refetch()
    void projects.refetch()
    void latest.refetch()
  }
  const empty = !failed && items?.length === 0 && latest.data?.items.length === 0
  return (
    <Page
      title={t('nav.dashboard')}
      actions={
        manage &&
        !empty && (
          <ButtonLink primary to="/projects/new" icon={<Plus size={16} />}>
            {t('projects.new')} <kbd aria-hidden="true">C</kbd>
          </ButtonLink>
        )
      }
    >
      {nothing && <ErrorNotice error={error} onRetry={again} />}
      {!nothing && <RefreshNotice error={error} onRetry={again} />}
      {empty && <FirstSteps />}
      {!empty && !nothing && (
        <>
          <Figures stats={stats.data} forQuota={forQuota} />
          <Attention
            items={[
              ...pausedQueue(queue.data, t),
              ...concerns(
                items ?? [],
                [...waitingNow.values()],
                nodes.data?.items ?? [],
                t,
                language,
              ),
            ]}
          />
          <div ref={area}>
            <Card
              title={t('dashboard.recent')}
              tools={
                <Link to="/executions" className="more-link">
                  {t('dashboard.all_executions')} <ArrowRight size={14} aria-hidden="true" />
                </Link>
              }
            >
              {fresh.count > 0 && (
                <div className="more-bar">
                  <button type="button" className="btn btn-small" onClick={fresh.show}>
                    {t('executions.fresh', { count: fresh.count })}
                  </button>
                </div>
              )}
              <ExecutionTable
                label={t('dashboard.recent')}
                items={latest.data?.items}
                loading={latest.isLoading}
                empty={<NoExecutions>{t('executions.empty_text')}</NoExecutions>}
              />
            </Card>
          </div>
          <Card
            title={t('projects.title')}
            tools={
              <Link to="/projects" className="more-link">
                {t('dashboard.all_projects')} <ArrowRight size={14} aria-hidden="true" />
              </Link>
            }
          >
            <ProjectTable items={items?.slice(0, 10)} />
          </Card>
        </>
      )}
    </Page>
  )
}
