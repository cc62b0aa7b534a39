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

function Row({ project }: { project: Project }) {
  const t = useT()
  const { counts } = project
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
          <span className="muted">
            {project.github_owner}/{project.github_repo}
          </span>
        </div>
      </td>
      <td className="num" data-label={t('status.running')}>
        {formatNumber(counts.running)}
      </td>
      <td className="num" data-label={t('status.queued')}>
        {formatNumber(counts.queued)}
      </td>
      <td className="num" data-label={t('projects.waiting')}>
        {formatNumber(counts.waiting)}
      </td>
      <td className="num wide-only">{formatNumber(counts.succeeded)}</td>
      <td className="num wide-only">{formatNumber(counts.failed)}</td>
      <td className="num">
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
            <th scope="col">{t('projects.project')}</th>
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
            <SkeletonRows rows={5} columns={8} />
          )}
        </tbody>
      </table>
    </div>
  )
}
