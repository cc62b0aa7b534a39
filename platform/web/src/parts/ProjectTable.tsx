/** Projects as rows: on the list and on the dashboard. */
import { useRef } from 'react'
import { Link } from 'react-router'
import type { Project } from '../api/types'
import { SkeletonRows } from '../design/feedback'
import { Badge, executionLook, Glyph, projectLook } from '../design/Status'
import { RelativeTime } from '../design/Time'
import { formatNumber } from '../i18n/format'
import { useT } from '../i18n/t'
import './parts.css'
import { useRowKeys } from './rowKeys'

function LastRun({ project }: { project: Project }) {
  const t = useT()
  const last = project.last_execution
  if (!last) return <span className="muted">{t('projects.never_run')}</span>
  const look = executionLook[last.status]
  return (
    <Link className="last-run" to={`/executions/${last.id}`} data-tone={look.tone}>
      <Glyph shape={look.shape} size={14} />
      <span className="visually-hidden">{t(look.label)}</span>
      <RelativeTime at={last.completed_at ?? last.created_at} />
    </Link>
  )
}

/** A number of which only what is not zero calls. */
function Tally(props: { value: number; label?: string; wide?: boolean }) {
  const name = ['num', props.wide && 'wide-only', props.value === 0 && 'zero']
  return (
    <td className={name.filter(Boolean).join(' ')} data-label={props.label}>
      {formatNumber(props.value)}
    </td>
  )
}

function Row({ project }: { project: Project }) {
  const t = useT()
  const { counts } = project
  const repository = `${project.github_owner}/${project.github_repo}`
  return (
    <tr>
      <td>
        <Badge look={projectLook(project)} />
      </td>
      <td className="cell-title">
        <div className="cell-main">
          <Link className="row-link" to={`/projects/${project.id}`}>
            {project.name}
          </Link>
          {project.name !== repository && <span className="muted">{repository}</span>}
        </div>
      </td>
      <Tally value={counts.running} label={t('status.running')} />
      <Tally value={counts.queued} label={t('status.queued')} />
      <Tally value={counts.waiting} label={t('projects.waiting')} />
      <Tally value={counts.succeeded} wide />
      <Tally value={counts.failed} wide />
      <td className="num cell-when">
        <LastRun project={project} />
      </td>
    </tr>
  )
}

export function ProjectTable(props: { items: Project[] | undefined; refreshing?: boolean }) {
  const t = useT()
  const table = useRef<HTMLTableElement>(null)
  useRowKeys(table)
  return (
    <div className={`table-wrap ${props.refreshing ? 'refreshing' : ''}`}>
      <table ref={table} className="table table-cards" aria-label={t('projects.title')}>
        <thead>
          <tr>
            <th scope="col">{t('projects.status')}</th>
            <th scope="col" className="cell-title">
              {t('projects.project')}
            </th>
            <th scope="col" className="num">
              {t('status.running')}
            </th>
            <th scope="col" className="num">
              {t('status.queued')}
            </th>
            <th scope="col" className="num">
              {t('projects.waiting')}
            </th>
            <th scope="col" className="num">
              {t('status.succeeded')}
            </th>
            <th scope="col" className="num">
              {t('status.failed')}
            </th>
            <th scope="col" className="num">
              {t('projects.last_run')}
            </th>
          </tr>
        </thead>
        <tbody>
          {props.items ? (
            props.items.map((project) => <Row key={project.id} project={project} />)
          ) : (
            <SkeletonRows rows={5} columns={['', 'cell-title', '', '', '', '', '', '']} />
          )}
        </tbody>
      </table>
    </div>
  )
}
