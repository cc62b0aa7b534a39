/** A project's schedules: when each runs next, how it went last, and what can be done with it. */
import { CalendarClock, Pencil, Play, Plus, Trash2 } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Link, useNavigate } from 'react-router'
import {
  useDeleteScheduleMutation,
  useListSchedulesQuery,
  useRunScheduleMutation,
  useUpdateScheduleMutation,
} from '../../api/schedules'
import type { Project, Schedule } from '../../api/types'
import { Button, IconButton } from '../../design/Button'
import { Empty, ErrorNotice, RefreshNotice, SkeletonRows } from '../../design/feedback'
import { Card } from '../../design/Page'
import { ExecutionBadge } from '../../design/Status'
import { AbsoluteTime, RelativeTime } from '../../design/Time'
import { toastError } from '../../design/toast'
import { type Key, useT } from '../../i18n/t'
import { ConfirmDialog } from '../../overlay/lazy'
import { useWhyNot } from '../../parts/permissions'
import { usePolling } from '../../realtime/live'
import './schedules.css'

const ScheduleDialog = lazy(() => import('./ScheduleDialog'))

type Result = NonNullable<Schedule['last']>['result']

const resultText: Record<Result, Key> = {
  started: 'schedules.result_started',
  waiting: 'schedules.result_waiting',
  overlapped: 'schedules.result_overlapped',
  missed: 'schedules.result_missed',
  retrying: 'schedules.result_retrying',
  failed: 'schedules.result_failed',
}

/** Of these the server's own words say more than ours. */
const isTrouble = new Set<Result>(['retrying', 'failed'])

function Last({ schedule }: { schedule: Schedule }) {
  const t = useT()
  const { last } = schedule
  if (!last) return <span className="muted">{t('schedules.never')}</span>
  return (
    <>
      <div>
        {last.result === 'started' && last.execution_id && last.execution_status ? (
          <Link to={`/executions/${last.execution_id}`}>
            <ExecutionBadge status={last.execution_status} />
          </Link>
        ) : (
          <span data-result={last.result}>{t(resultText[last.result])}</span>
        )}
      </div>
      <div className="muted row-note">
        <RelativeTime at={last.at} /> {isTrouble.has(last.result) && last.detail}
      </div>
    </>
  )
}

function Row(props: { schedule: Schedule; onEdit: () => void; onDelete: () => void }) {
  const { schedule } = props
  const t = useT()
  const navigate = useNavigate()
  const whyRun = useWhyNot('RUN')
  const whyManage = useWhyNot('MANAGE')
  const [run, running] = useRunScheduleMutation()
  const [update, updating] = useUpdateScheduleMutation()

  const runNow = async () => {
    const result = await run(schedule.id)
    if (result.data) navigate(`/executions/${result.data.id}`)
    else toastError(result.error)
  }
  const toggle = async () => {
    const body = { enabled: !schedule.enabled }
    const result = await update({ id: schedule.id, version: schedule.version, body })
    if (result.error) toastError(result.error)
  }
  return (
    <tr data-off={!schedule.enabled || undefined}>
      <td className="cell-title schedule-name">
        <b>{schedule.name}</b>
        <div className="muted row-note">
          {schedule.issue_number !== null
            ? t('schedules.of_issue', { number: schedule.issue_number })
            : schedule.title}
        </div>
      </td>
      <td className="schedule-cron">
        <code>{schedule.cron}</code>
        <div className="muted row-note">{schedule.time_zone}</div>
      </td>
      <td data-label={t('schedules.column_next')}>
        {schedule.enabled ? <AbsoluteTime at={schedule.next_at} /> : t('schedules.off')}
      </td>
      <td className="schedule-last">
        <Last schedule={schedule} />
      </td>
      <td className="schedule-do">
        <div className="schedule-actions">
          <Button
            small
            icon={<Play size={14} />}
            why={whyRun}
            busy={running.isLoading}
            onClick={() => void runNow()}
          >
            {t('schedules.run_now')}
          </Button>
          <Button
            small
            quiet
            why={whyManage}
            busy={updating.isLoading}
            onClick={() => void toggle()}
          >
            {schedule.enabled ? t('schedules.switch_off') : t('schedules.switch_on')}
          </Button>
          {!whyManage && (
            <>
              <IconButton
                label={t('schedules.edit', { name: schedule.name })}
                onClick={props.onEdit}
              >
                <Pencil size={15} />
              </IconButton>
              <IconButton
                label={t('schedules.delete', { name: schedule.name })}
                onClick={props.onDelete}
              >
                <Trash2 size={15} />
              </IconButton>
            </>
          )}
        </div>
      </td>
    </tr>
  )
}

function Table(props: {
  schedules: Schedule[] | undefined
  onEdit: (schedule: Schedule) => void
  onDelete: (schedule: Schedule) => void
}) {
  const t = useT()
  return (
    <div className="table-wrap">
      <table className="table table-cards" aria-label={t('schedules.title')}>
        <thead>
          <tr>
            <th scope="col" className="cell-title schedule-name">
              {t('schedules.column_name')}
            </th>
            <th scope="col">{t('schedules.column_when')}</th>
            <th scope="col">{t('schedules.column_next')}</th>
            <th scope="col">{t('schedules.column_last')}</th>
            <th scope="col">
              <span className="visually-hidden">{t('schedules.column_actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {props.schedules ? (
            props.schedules.map((schedule) => (
              <Row
                key={schedule.id}
                schedule={schedule}
                onEdit={() => props.onEdit(schedule)}
                onDelete={() => props.onDelete(schedule)}
              />
            ))
          ) : (
            <SkeletonRows rows={3} columns={['cell-title', '', '', '', '']} />
          )}
        </tbody>
      </table>
    </div>
  )
}

export default function SchedulesTab({ project }: { project: Project }) {
  const t = useT()
  const why = useWhyNot('MANAGE')
  const query = useListSchedulesQuery(project.id, usePolling(15_000))
  const [remove] = useDeleteScheduleMutation()
  const [editing, setEditing] = useState<Schedule | 'new' | null>(null)
  const [deleting, setDeleting] = useState<Schedule | null>(null)
  const newest = project.last_execution?.id

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new execution may be a schedule's
  useEffect(() => {
    if (query.data) void query.refetch()
  }, [newest])

  const add = (
    <Button primary icon={<Plus size={15} />} why={why} onClick={() => setEditing('new')}>
      {t('schedules.new')}
    </Button>
  )
  if (query.error && !query.data)
    return <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />
  return (
    <>
      <RefreshNotice error={query.error} onRetry={() => void query.refetch()} />
      <Card title={t('schedules.title')} tools={query.data && query.data.length > 0 && add}>
        {query.data?.length === 0 ? (
          <Empty icon={<CalendarClock size={28} />} title={t('schedules.empty')} action={add}>
            {t('schedules.empty_text')}
          </Empty>
        ) : (
          <Table schedules={query.data} onEdit={setEditing} onDelete={setDeleting} />
        )}
      </Card>
      {editing && (
        <Suspense fallback={null}>
          <ScheduleDialog
            project={project}
            schedule={editing === 'new' ? null : editing}
            onClose={() => setEditing(null)}
          />
        </Suspense>
      )}
      {deleting && (
        <ConfirmDialog
          title={t('schedules.delete_title', { name: deleting.name })}
          confirm={t('schedules.delete_confirm')}
          danger
          onConfirm={() => remove(deleting.id).unwrap()}
          onClose={() => setDeleting(null)}
        >
          <p>{t('schedules.delete_text')}</p>
        </ConfirmDialog>
      )}
    </>
  )
}
