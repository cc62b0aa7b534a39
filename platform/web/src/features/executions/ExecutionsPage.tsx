import { SearchX } from 'lucide-react'
import { useCallback, useId, useRef } from 'react'
import { Link } from 'react-router'
import { useListExecutionsQuery } from '../../api/executions'
import { useListProjectsQuery } from '../../api/projects'
import type { Execution } from '../../api/types'
import { useSetCrumbs } from '../../app/crumbs'
import { Empty, ErrorNotice, RefreshNotice } from '../../design/feedback'
import { showWhole } from '../../design/focus'
import { Card, Page, useTitle } from '../../design/Page'
import { SearchField } from '../../design/SearchField'
import { executionLook, Glyph, type Look } from '../../design/Status'
import { type Key, useT } from '../../i18n/t'
import { ExecutionTable, NoExecutions } from '../../parts/ExecutionTable'
import { useNewExecutions } from '../../parts/newExecutions'
import { Pager } from '../../parts/Pager'
import { usePager, useUrlState, withFilter } from '../../parts/urlState'
import { usePolling } from '../../realtime/live'
import { QueueButton } from '../queue/QueueButton'
import './executions.css'

const filters: { status: string; label: Key; look?: Look }[] = [
  { status: '', label: 'filter.all' },
  { status: 'queued', label: 'status.queued', look: executionLook.queued },
  {
    status: 'assigned,preparing,running,cancelling',
    label: 'status.running',
    look: executionLook.running,
  },
  {
    status: 'waiting_input,waiting_approval,waiting_quota',
    label: 'projects.waiting',
    look: executionLook.waiting_input,
  },
  { status: 'succeeded', label: 'status.succeeded', look: executionLook.succeeded },
  {
    status: 'failed,timed_out,budget_exhausted',
    label: 'status.failed',
    look: executionLook.failed,
  },
  { status: 'cancelled', label: 'status.cancelled', look: executionLook.cancelled },
]

function ProjectFilter({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const t = useT()
  const id = useId()
  const { data } = useListProjectsQuery({ limit: 200 })
  const known = data?.items.some((project) => project.id === value)
  return (
    <>
      <label className="visually-hidden" htmlFor={id}>
        {t('execution.project')}
      </label>
      <select
        id={id}
        className="input project-filter"
        value={value}
        onChange={(event) => onChange(event.target.value)}
      >
        <option value="">{t('executions.all_projects')}</option>
        {value && !known && <option value={value}>{value}</option>}
        {data?.items.map((project) => (
          <option key={project.id} value={project.id}>
            {project.name}
          </option>
        ))}
      </select>
    </>
  )
}

export default function ExecutionsPage() {
  const t = useT()
  const { get, set, params } = useUrlState()
  const q = get('q')
  const status = get('status')
  const project = get('project')
  const cursor = get('cursor')
  const list = useListExecutionsQuery({ q, status, project, cursor, limit: 50 }, usePolling())
  const pager = usePager(list.data?.next_cursor)
  const area = useRef<HTMLDivElement>(null)
  useTitle(t('executions.title'))
  useSetCrumbs([{ label: t('executions.title') }])
  const search = useCallback((value: string) => set('q', value), [set])
  const choose = useCallback((id: string) => set('project', id), [set])

  const statuses = status ? status.split(',') : null
  const fresh = useNewExecutions({
    shown: cursor ? undefined : list.data?.items,
    area,
    wanted: (execution: Execution) =>
      (!project || execution.project.id === project) &&
      (!statuses || statuses.includes(execution.status)) &&
      !q,
    refetch: () => void list.refetch(),
  })

  const filtered = Boolean(q || status || project || cursor)
  if (list.error !== undefined && !list.data)
    return (
      <Page title={t('executions.title')}>
        <ErrorNotice error={list.error} onRetry={() => void list.refetch()} />
      </Page>
    )
  return (
    <Page title={t('executions.title')} actions={<QueueButton />}>
      <RefreshNotice error={list.error} onRetry={() => void list.refetch()} />
      <div ref={area}>
        <Card label={t('executions.title')}>
          <div className="list-tools">
            <div className="chips">
              {filters.map((filter) => (
                <Link
                  key={filter.status}
                  className="chip"
                  onFocus={showWhole}
                  data-tone={filter.look?.tone}
                  to={withFilter(params, 'status', filter.status)}
                  aria-current={filter.status === status ? 'true' : undefined}
                  replace
                >
                  {filter.look && <Glyph shape={filter.look.shape} size={14} />}
                  {t(filter.label)}
                </Link>
              ))}
            </div>
            <div className="list-fields">
              <ProjectFilter value={project} onChange={choose} />
              <SearchField
                label={t('executions.filter')}
                hint={t('executions.filter_hint')}
                value={q}
                onChange={search}
              />
            </div>
          </div>
          {fresh.count > 0 && (
            <div className="more-bar">
              <button type="button" className="btn btn-small" onClick={fresh.show}>
                {t('executions.fresh', { count: fresh.count })}
              </button>
            </div>
          )}
          <ExecutionTable
            label={t('executions.title')}
            items={list.data?.items}
            loading={list.isLoading}
            empty={
              q && pager.older ? (
                <Empty
                  icon={<SearchX size={36} />}
                  title={t('executions.none_so_far')}
                  action={
                    <button type="button" className="btn" onClick={pager.older}>
                      {t('executions.search_on')}
                    </button>
                  }
                />
              ) : filtered ? (
                <Empty
                  icon={<SearchX size={36} />}
                  title={t('filter.none')}
                  action={
                    <Link to="?" replace className="btn">
                      {t('filter.clear')}
                    </Link>
                  }
                />
              ) : (
                <NoExecutions>{t('executions.empty_text')}</NoExecutions>
              )
            }
          />
          <Pager pager={pager} />
        </Card>
      </div>
    </Page>
  )
}
