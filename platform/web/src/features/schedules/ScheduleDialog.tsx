/** Making or changing a schedule: when, in which time zone, what; its next times as you type. */
import { useEffect, useId, useState } from 'react'
import { describe } from '../../api/problem'
import {
  useCreateScheduleMutation,
  usePreviewScheduleQuery,
  useUpdateScheduleMutation,
} from '../../api/schedules'
import type { Project, Schedule, ScheduleCreate } from '../../api/types'
import { Button } from '../../design/Button'
import { Field, Form } from '../../design/Form'
import { ErrorNotice } from '../../design/feedback'
import { focusOnMount } from '../../design/focus'
import { type Key, useLanguage, useT } from '../../i18n/t'
import Dialog from '../../overlay/Dialog'
import { PrioritySelect } from '../../parts/priority'
import { TimeZones } from '../../parts/TimeZones'
import './schedules.css'

const CHECK_AFTER_MS = 400

const presets: { cron: string; label: Key }[] = [
  { cron: '@hourly', label: 'schedules.preset_hourly' },
  { cron: '30 2 * * *', label: 'schedules.preset_nightly' },
  { cron: '0 9 * * mon-fri', label: 'schedules.preset_weekdays' },
  { cron: '0 9 * * mon', label: 'schedules.preset_weekly' },
  { cron: '0 9 1 * *', label: 'schedules.preset_monthly' },
]

const overlaps: { value: Schedule['overlap']; label: Key }[] = [
  { value: 'skip', label: 'schedules.overlap_skip' },
  { value: 'queue', label: 'schedules.overlap_queue' },
  { value: 'cancel_previous', label: 'schedules.overlap_cancel' },
]

const misses: { value: Schedule['missed']; label: Key }[] = [
  { value: 'run_once', label: 'schedules.missed_run_once' },
  { value: 'skip', label: 'schedules.missed_skip' },
]

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

function useSettled(value: string): string {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), CHECK_AFTER_MS)
    return () => clearTimeout(timer)
  }, [value])
  return settled
}

/** A moment as a clock on the wall of that zone shows it. */
function timeIn(at: string, zone: string, language: string): string {
  const options = { dateStyle: 'medium', timeStyle: 'short', timeZone: zone || 'UTC' } as const
  try {
    return new Intl.DateTimeFormat(language, { ...options, weekday: undefined }).format(
      Date.parse(at),
    )
  } catch {
    return at // a zone that this browser does not know
  }
}

function Preview({ cron, zone }: { cron: string; zone: string }) {
  const t = useT()
  const language = useLanguage()
  const wish = { cron: useSettled(cron.trim()), time_zone: useSettled(zone.trim() || 'UTC') }
  const query = usePreviewScheduleQuery(wish, { skip: wish.cron === '' })
  const times = query.currentData?.next
  return (
    <div className="schedule-preview" aria-live="polite">
      {query.error !== undefined && <p className="field-error">{describe(query.error, t)}</p>}
      {times && times.length > 0 && (
        <>
          <p className="muted">{t('schedules.next_times')}</p>
          <ul>
            {times.map((at) => (
              <li key={at}>{timeIn(at, wish.time_zone, language)}</li>
            ))}
          </ul>
        </>
      )}
      {times?.length === 0 && <p className="field-error">{t('schedules.never_due')}</p>}
    </div>
  )
}

function Choice<T extends string>(props: {
  name: string
  label: string
  value: T
  options: { value: T; label: Key }[]
}) {
  const t = useT()
  return (
    <Field name={props.name} label={props.label}>
      {(parts) => (
        <select {...parts} className="input" defaultValue={props.value}>
          {props.options.map((option) => (
            <option key={option.value} value={option.value}>
              {t(option.label)}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

function bodyOf(data: FormData, kind: 'issue' | 'task'): ScheduleCreate {
  const text = (name: string) => String(data.get(name) ?? '').trim()
  return {
    name: text('name'),
    cron: text('cron'),
    time_zone: text('time_zone') || 'UTC',
    priority: text('priority') as Schedule['priority'],
    overlap: text('overlap') as Schedule['overlap'],
    missed: text('missed') as Schedule['missed'],
    jitter_seconds: Math.round(Number(text('jitter')) * 60),
    issue_number: kind === 'issue' ? Number(text('issue').replace('#', '')) : null,
    title: kind === 'task' ? text('title') : null,
    prompt: kind === 'task' ? String(data.get('prompt')) : null,
  }
}

export default function ScheduleDialog(props: {
  project: Project
  schedule: Schedule | null
  onClose: () => void
}) {
  const { project, schedule, onClose } = props
  const t = useT()
  const id = useId()
  const [kind, setKind] = useState<'issue' | 'task'>(
    schedule && schedule.issue_number !== null ? 'issue' : 'task',
  )
  const [cron, setCron] = useState(schedule?.cron ?? '30 2 * * *')
  const [zone, setZone] = useState(schedule?.time_zone ?? ownZone())
  const [create, creating] = useCreateScheduleMutation()
  const [update, updating] = useUpdateScheduleMutation()
  const error = creating.error ?? updating.error

  const submit = async (data: FormData) => {
    const body = bodyOf(data, kind)
    const result = schedule
      ? await update({ id: schedule.id, version: schedule.version, body })
      : await create({ project: project.id, body })
    if (result.data) onClose()
  }

  return (
    <Dialog
      wide
      title={schedule ? t('schedules.edit', { name: schedule.name }) : t('schedules.new')}
      onClose={onClose}
    >
      <Form className="dialog-body" onSubmit={submit}>
        <Field name="name" label={t('schedules.name')}>
          {(parts) => (
            <input
              ref={focusOnMount}
              {...parts}
              className="input"
              defaultValue={schedule?.name}
              required
              maxLength={100}
              autoComplete="off"
            />
          )}
        </Field>
        <div className="schedule-when">
          <Field name="cron" label={t('schedules.cron')} help={t('schedules.cron_help')}>
            {(parts) => (
              <input
                {...parts}
                className="input mono"
                value={cron}
                onChange={(event) => setCron(event.target.value)}
                required
                maxLength={200}
                autoComplete="off"
                spellCheck={false}
              />
            )}
          </Field>
          <Field name="time_zone" label={t('schedules.time_zone')}>
            {(parts) => (
              <>
                <input
                  {...parts}
                  className="input"
                  value={zone}
                  onChange={(event) => setZone(event.target.value)}
                  list={`${id}zones`}
                  maxLength={64}
                  autoComplete="off"
                  spellCheck={false}
                />
                <TimeZones id={`${id}zones`} />
              </>
            )}
          </Field>
        </div>
        <fieldset className="schedule-presets">
          <legend className="visually-hidden">{t('schedules.presets')}</legend>
          {presets.map((preset) => (
            <button
              key={preset.cron}
              type="button"
              className="btn btn-small"
              aria-pressed={cron.trim() === preset.cron}
              onClick={() => setCron(preset.cron)}
            >
              {t(preset.label)}
            </button>
          ))}
        </fieldset>
        <Preview cron={cron} zone={zone} />
        <div className="segmented">
          <button type="button" aria-pressed={kind === 'task'} onClick={() => setKind('task')}>
            {t('run.by_task')}
          </button>
          <button type="button" aria-pressed={kind === 'issue'} onClick={() => setKind('issue')}>
            {t('run.by_issue')}
          </button>
        </div>
        {kind === 'issue' ? (
          <Field name="issue" label={t('run.issue')} help={t('schedules.issue_help')}>
            {(parts) => (
              <input
                {...parts}
                className="input"
                inputMode="numeric"
                pattern="\s*#?[1-9][0-9]{0,8}\s*"
                data-form={t('run.issue_form')}
                defaultValue={schedule?.issue_number ?? ''}
                autoComplete="off"
                required
              />
            )}
          </Field>
        ) : (
          <>
            <Field name="title" label={t('run.task_title')}>
              {(parts) => (
                <input
                  {...parts}
                  className="input"
                  defaultValue={schedule?.title ?? ''}
                  required
                  maxLength={300}
                />
              )}
            </Field>
            <Field name="prompt" label={t('run.task_prompt')}>
              {(parts) => (
                <textarea
                  {...parts}
                  className="input"
                  rows={5}
                  defaultValue={schedule?.prompt ?? ''}
                  required
                  maxLength={100_000}
                />
              )}
            </Field>
          </>
        )}
        <div className="schedule-when">
          <Choice
            name="overlap"
            label={t('schedules.overlap')}
            value={schedule?.overlap ?? 'skip'}
            options={overlaps}
          />
          <Choice
            name="missed"
            label={t('schedules.missed')}
            value={schedule?.missed ?? 'run_once'}
            options={misses}
          />
          <Field name="priority" label={t('priority.title')}>
            {(parts) => <PrioritySelect {...parts} defaultValue={schedule?.priority ?? 'normal'} />}
          </Field>
          <Field name="jitter" label={t('schedules.jitter')} help={t('schedules.jitter_help')}>
            {(parts) => (
              <input
                {...parts}
                className="input"
                type="number"
                min={0}
                max={60}
                defaultValue={schedule ? Math.round(schedule.jitter_seconds / 60) : 0}
              />
            )}
          </Field>
        </div>
        {error && <ErrorNotice error={error} title={t('schedules.not_saved')} withFields />}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button type="submit" primary busy={creating.isLoading || updating.isLoading}>
            {t('settings.save')}
          </Button>
        </div>
      </Form>
    </Dialog>
  )
}
