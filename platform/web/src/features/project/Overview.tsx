import { ArrowRight, Tag } from 'lucide-react'
import { useRef } from 'react'
import { Link } from 'react-router'
import { useListExecutionsQuery } from '../../api/executions'
import type { Project } from '../../api/types'
import { CopyButton } from '../../design/CopyButton'
import { ExternalLink } from '../../design/ExternalLink'
import { ErrorNotice, Notice, RefreshNotice } from '../../design/feedback'
import { Card, Facts } from '../../design/Page'
import { agentLook, executionLook, Glyph, type Look, StatusText } from '../../design/Status'
import { RelativeTime } from '../../design/Time'
import { formatCost, formatDuration, formatNumber } from '../../i18n/format'
import { type Key, pick, useLanguage, useT } from '../../i18n/t'
import { ExecutionTable, NoExecutions } from '../../parts/ExecutionTable'
import { NodeName } from '../../parts/NodeName'
import { useNewExecutions } from '../../parts/newExecutions'
import { usePolling } from '../../realtime/live'

/** Which secrets are missing: what that is called, and where it is mended. */
function missingOf(project: Project): { title: Key; text: Key; part: string } | null {
  const { github_token, anthropic_api_key } = project.secrets
  const token = !github_token.set
  const key = project.driver === 'claude' && !anthropic_api_key.set
  if (token && key)
    return { title: 'project.no_secrets', text: 'project.no_secrets_text', part: 'general' }
  if (token) return { title: 'project.no_token', text: 'project.no_token_text', part: 'general' }
  if (key) return { title: 'project.no_key', text: 'project.no_key_text', part: 'claude' }
  return null
}

/** What stands in the way, and where it is mended. */
function Health({ project }: { project: Project }) {
  const t = useT()
  const language = useLanguage()
  if (project.status !== 'active')
    return (
      <Notice tone="off" title={t('project.not_active')}>
        <p>{t('project.not_active_text')}</p>
      </Notice>
    )
  const missing = missingOf(project)
  const bad = project.health === 'failing' || project.health === 'misconfigured'
  if (!bad && !missing) return null
  const found = project.health_reason ? pick(project.health_reason, language) : t('health.failing')
  return (
    <Notice
      tone={bad ? 'fail' : 'warn'}
      title={missing ? t(missing.title) : found}
      action={
        <Link
          className="btn btn-small"
          to={`/projects/${project.id}/settings${missing ? `#${missing.part}` : ''}`}
        >
          {t('execution.open_settings')}
        </Link>
      }
    >
      <p>{t(missing ? missing.text : 'project.heals')}</p>
    </Notice>
  )
}

function Count({ look, value, to }: { look: Look; value: number; to: string }) {
  const t = useT()
  return (
    <Link className="count" data-tone={value > 0 ? look.tone : 'off'} to={to}>
      <Glyph shape={look.shape} />
      <b>{formatNumber(value)}</b>
      <span>{t(look.label)}</span>
    </Link>
  )
}

function Counts({ project }: { project: Project }) {
  const { counts } = project
  const list = `/executions?project=${project.id}&status=`
  return (
    <section className="card counts">
      <Count
        look={executionLook.running}
        value={counts.running}
        to={`${list}assigned,preparing,running,cancelling`}
      />
      <Count look={executionLook.queued} value={counts.queued} to={`${list}queued`} />
      <Count
        look={{ ...executionLook.waiting_input, label: 'projects.waiting' }}
        value={counts.waiting}
        to={`${list}waiting_input,waiting_approval,waiting_quota`}
      />
      <Count look={executionLook.succeeded} value={counts.succeeded} to={`${list}succeeded`} />
      <Count
        look={executionLook.failed}
        value={counts.failed}
        to={`${list}failed,timed_out,budget_exhausted`}
      />
    </section>
  )
}

function Agent({ project }: { project: Project }) {
  const t = useT()
  const { agent } = project
  return (
    <Card
      title={t('agent.title')}
      tools={
        <Link className="more-link" to={`/projects/${project.id}/agent`}>
          {t('agent.log')} <ArrowRight size={14} aria-hidden="true" />
        </Link>
      }
    >
      <div className="card-body">
        <Facts
          rows={[
            [t('execution.status'), <StatusText key="s" look={agentLook[agent.state]} />],
            [t('execution.node'), <NodeName key="n" id={agent.node_id} />],
            [t('agent.pid'), agent.pid === null ? '—' : <code key="p">{agent.pid}</code>],
            [t('agent.restarts'), formatNumber(agent.restarts)],
            [t('agent.since'), <RelativeTime key="t" at={agent.since} />],
          ]}
        />
        {agent.detail && <p className="agent-detail">{agent.detail}</p>}
      </div>
    </Card>
  )
}

function Configuration({ project }: { project: Project }) {
  const t = useT()
  return (
    <Card
      title={t('project.configuration')}
      tools={
        <Link className="more-link" to={`/projects/${project.id}/settings`}>
          {t('project.tab_settings')} <ArrowRight size={14} aria-hidden="true" />
        </Link>
      }
    >
      <div className="card-body">
        <Facts
          rows={[
            [t('form.trigger_label'), <code key="l">{project.trigger_label}</code>],
            [t('form.poll_interval'), formatDuration(project.poll_interval_seconds * 1000)],
            [t('form.max_concurrent'), formatNumber(project.max_concurrent)],
            [t('form.timeout'), formatDuration(project.timeout_seconds * 1000)],
            [t('form.model'), project.model || t('execution.model_default')],
            [
              t('form.max_budget'),
              project.max_budget_usd ? formatCost(project.max_budget_usd) : t('form.no_limit'),
            ],
          ]}
        />
      </div>
    </Card>
  )
}

function HowToStart({ project }: { project: Project }) {
  const t = useT()
  return (
    <NoExecutions
      action={
        <div className="label-hint">
          <Tag size={15} aria-hidden="true" />
          <code>{project.trigger_label}</code>
          <CopyButton text={project.trigger_label} label={t('project.copy_label')} />
          <ExternalLink className="btn btn-small" href={`${project.github_url}/issues`}>
            {t('project.open_issues')}
          </ExternalLink>
        </div>
      }
    >
      {t('project.no_executions', { label: project.trigger_label })}
    </NoExecutions>
  )
}

export function Overview({ project }: { project: Project }) {
  const t = useT()
  const list = useListExecutionsQuery({ project: project.id, limit: 10 }, usePolling())
  const area = useRef<HTMLDivElement>(null)
  const fresh = useNewExecutions({
    shown: list.data?.items,
    area,
    wanted: (execution) => execution.project.id === project.id,
    refetch: () => void list.refetch(),
  })
  return (
    <div className="columns">
      <div className="column">
        <Health project={project} />
        <Counts project={project} />
        {list.error !== undefined && !list.data && (
          <ErrorNotice error={list.error} onRetry={() => void list.refetch()} />
        )}
        {list.data && <RefreshNotice error={list.error} onRetry={() => void list.refetch()} />}
        <div ref={area}>
          <Card
            title={t('dashboard.recent')}
            tools={
              <Link className="more-link" to={`/executions?project=${project.id}`}>
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
              items={list.data?.items}
              loading={list.isLoading}
              hideProject
              empty={<HowToStart project={project} />}
            />
          </Card>
        </div>
      </div>
      <div className="column">
        <Agent project={project} />
        <Configuration project={project} />
      </div>
    </div>
  )
}
