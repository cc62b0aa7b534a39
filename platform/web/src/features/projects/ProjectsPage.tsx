import { FolderGit2, Plus, SearchX } from 'lucide-react'
import { useCallback } from 'react'
import { Link } from 'react-router'
import { useListProjectsQuery } from '../../api/projects'
import { useSetCrumbs } from '../../app/crumbs'
import { ButtonLink } from '../../design/Button'
import { Empty, ErrorNotice, RefreshNotice } from '../../design/feedback'
import { showWhole } from '../../design/focus'
import { Card, Page, useTitle } from '../../design/Page'
import { SearchField } from '../../design/SearchField'
import { type Key, useT } from '../../i18n/t'
import { Pager } from '../../parts/Pager'
import { ProjectTable } from '../../parts/ProjectTable'
import { useMay } from '../../parts/permissions'
import { usePager, useUrlState, withFilter } from '../../parts/urlState'
import { usePolling, useTopic } from '../../realtime/live'

const filters: { status: string; label: Key }[] = [
  { status: '', label: 'filter.all' },
  { status: 'active', label: 'project.status.active' },
  { status: 'paused', label: 'project.status.paused' },
  { status: 'stopped', label: 'project.status.stopped' },
]

export default function ProjectsPage() {
  const t = useT()
  const { get, set, params } = useUrlState()
  const q = get('q')
  const status = get('status')
  const cursor = get('cursor')
  const list = useListProjectsQuery({ q, status, cursor, limit: 50 }, usePolling())
  const pager = usePager(list.data?.next_cursor)
  const manage = useMay('MANAGE')
  useTopic('projects')
  useTitle(t('projects.title'))
  useSetCrumbs([{ label: t('projects.title') }])
  const search = useCallback((value: string) => set('q', value), [set])

  const none = list.data?.items.length === 0
  const filtered = Boolean(q || status || cursor)
  if (list.error !== undefined && !list.data)
    return (
      <Page title={t('projects.title')}>
        <ErrorNotice error={list.error} onRetry={() => void list.refetch()} />
      </Page>
    )
  return (
    <Page
      title={t('projects.title')}
      actions={
        manage && (
          <ButtonLink primary to="/projects/new" icon={<Plus size={16} />}>
            {t('projects.new')} <kbd aria-hidden="true">C</kbd>
          </ButtonLink>
        )
      }
    >
      <RefreshNotice error={list.error} onRetry={() => void list.refetch()} />
      <Card label={t('projects.title')}>
        <div className="list-tools">
          <div className="chips">
            {filters.map((filter) => (
              <Link
                key={filter.status}
                className="chip"
                onFocus={showWhole}
                to={withFilter(params, 'status', filter.status)}
                aria-current={filter.status === status ? 'true' : undefined}
                replace
              >
                {t(filter.label)}
              </Link>
            ))}
          </div>
          <div className="list-fields">
            <SearchField
              label={t('projects.filter')}
              hint={t('projects.filter_hint')}
              value={q}
              onChange={search}
            />
          </div>
        </div>
        {none && !filtered ? (
          <Empty
            icon={<FolderGit2 size={36} />}
            title={t('projects.empty')}
            action={
              manage && (
                <ButtonLink primary to="/projects/new" icon={<Plus size={16} />}>
                  {t('projects.new')}
                </ButtonLink>
              )
            }
          >
            {manage ? t('projects.empty_text') : t('projects.empty_viewer')}
          </Empty>
        ) : none ? (
          <NoMatch />
        ) : (
          <ProjectTable
            items={list.data?.items}
            refreshing={list.isFetching && list.originalArgs?.cursor !== cursor}
          />
        )}
        <Pager pager={pager} />
      </Card>
    </Page>
  )
}

function NoMatch() {
  const t = useT()
  return <Empty icon={<SearchX size={36} />} title={t('filter.none')} action={<ClearFilters />} />
}

function ClearFilters() {
  const t = useT()
  return (
    <Link to="?" replace className="btn">
      {t('filter.clear')}
    </Link>
  )
}
