/** One project: how it is, what it did, its agent's log, its settings. */
import { CirclePlay, Play, RotateCw, Settings, Square } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { Link, NavLink, useParams } from 'react-router'
import { isApiError } from '../../api/problem'
import { useControlProjectMutation, useGetProjectQuery } from '../../api/projects'
import type { Project } from '../../api/types'
import { useSetCrumbs } from '../../app/crumbs'
import { Button } from '../../design/Button'
import { ExternalLink } from '../../design/ExternalLink'
import { ErrorNotice, SkeletonPage, SkeletonText } from '../../design/feedback'
import { Page, useTitle } from '../../design/Page'
import { Badge, projectLook } from '../../design/Status'
import { toast, toastError } from '../../design/toast'
import { useT } from '../../i18n/t'
import { ConfirmDialog } from '../../overlay/lazy'
import NotFoundPage from '../../parts/NotFoundPage'
import { useMay, useWhyNot } from '../../parts/permissions'
import { usePolling, useTopic } from '../../realtime/live'
import { Overview } from './Overview'
import './project.css'

const AgentLog = lazy(() => import('./AgentLog'))
const SettingsTab = lazy(() => import('./SettingsTab'))
const SchedulesTab = lazy(() => import('../schedules/SchedulesTab'))
const RunDialog = lazy(() => import('./RunDialog'))

function Actions({ project }: { project: Project }) {
  const t = useT()
  const why = useWhyNot('RUN')
  const [control, { isLoading }] = useControlProjectMutation()
  const [dialog, setDialog] = useState<'run' | 'stop' | null>(null)
  const active = project.status === 'active'

  const act = async (action: 'start' | 'stop' | 'restart', done: string) => {
    const result = await control({ id: project.id, action })
    if (result.error) toastError(result.error)
    else toast('ok', done)
  }

  return (
    <>
      {active ? (
        <>
          <Button primary icon={<Play size={15} />} why={why} onClick={() => setDialog('run')}>
            {t('project.run')}
          </Button>
          <Button
            icon={<RotateCw size={15} />}
            why={why}
            busy={isLoading}
            onClick={() => void act('restart', t('project.restarting'))}
          >
            {t('project.restart')}
          </Button>
          <Button icon={<Square size={14} />} why={why} onClick={() => setDialog('stop')}>
            {t('project.stop')}
          </Button>
        </>
      ) : (
        <Button
          primary
          icon={<CirclePlay size={16} />}
          why={why}
          busy={isLoading}
          onClick={() => void act('start', t('project.started'))}
        >
          {t('project.start')}
        </Button>
      )}
      {dialog === 'run' && (
        <Suspense fallback={null}>
          <RunDialog project={project} onClose={() => setDialog(null)} />
        </Suspense>
      )}
      {dialog === 'stop' && (
        <ConfirmDialog
          title={t('project.stop_title', { name: project.name })}
          confirm={t('project.stop')}
          danger
          onConfirm={() => control({ id: project.id, action: 'stop' }).unwrap()}
          onClose={() => setDialog(null)}
        >
          <p>
            {project.counts.running > 0
              ? t('project.stop_running', { count: project.counts.running })
              : t('project.stop_text')}
          </p>
        </ConfirmDialog>
      )}
    </>
  )
}

function Loaded({ project, tab }: { project: Project; tab: string | undefined }) {
  const t = useT()
  const manage = useMay('MANAGE')
  const base = `/projects/${project.id}`
  const repository = `${project.github_owner}/${project.github_repo}`
  useTitle(project.name)
  useSetCrumbs([{ label: t('projects.title'), to: '/projects' }, { label: project.name }])
  return (
    <Page
      title={
        <>
          <span>{project.name}</span>
          <Badge look={projectLook(project)} />
        </>
      }
      sub={
        <>
          <ExternalLink href={project.github_url}>
            {project.name === repository ? t('project.github_repository') : repository}
          </ExternalLink>
          {project.default_branch && <code>{project.default_branch}</code>}
          <span>{t('project.label_hint', { label: project.trigger_label })}</span>
        </>
      }
      actions={<Actions project={project} />}
    >
      <nav className="tabs" aria-label={t('project.tabs')}>
        <NavLink to={base} end>
          {t('project.tab_overview')}
        </NavLink>
        <NavLink to={`${base}/schedules`}>{t('project.tab_schedules')}</NavLink>
        <NavLink to={`${base}/agent`}>{t('project.tab_agent')}</NavLink>
        <NavLink to={`${base}/settings`}>
          <Settings size={14} aria-hidden="true" /> {t('project.tab_settings')}
        </NavLink>
      </nav>
      <Suspense fallback={<SkeletonText lines={6} />}>
        {tab === undefined && <Overview project={project} />}
        {tab === 'schedules' && <SchedulesTab key={project.id} project={project} />}
        {tab === 'agent' && <AgentLog project={project} />}
        {tab === 'settings' && (
          <SettingsTab key={project.id} project={project} readOnly={!manage} />
        )}
      </Suspense>
    </Page>
  )
}

const tabs = [undefined, 'schedules', 'agent', 'settings']

export default function ProjectPage() {
  const { id = '', tab } = useParams()
  const t = useT()
  const query = useGetProjectQuery(id, usePolling())
  useTopic(`project:${id}`)
  const project = query.data?.id === id ? query.data : undefined
  if (!tabs.includes(tab)) return <NotFoundPage />
  if (query.error && !project) {
    if (isApiError(query.error) && query.error.status === 404) return <NotFoundPage />
    return (
      <div className="page">
        <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />
      </div>
    )
  }
  if (!project) return <SkeletonPage title={t('projects.title')} />
  if (project.status === 'deleted')
    return (
      <div className="page">
        <h1>{project.name}</h1>
        <p>{t('project.deleted')}</p>
        <Link to="/projects">{t('projects.title')}</Link>
      </div>
    )
  return <Loaded project={project} tab={tab} />
}
