/** Making or changing a schedule: when, in which time zone, what; its next times as you type. */
import { type FormEvent, type ReactNode, useEffect, useId, useState } from 'react'
import { describe } from '../../api/problem'
import {
  useCreateScheduleMutation,
  usePreviewScheduleQuery,
  useUpdateScheduleMutation,
} from '../../api/schedules'
import type { Project, Schedule, ScheduleCreate } from '../../api/types'
import { Button } from '../../design/Button'
import { ErrorNotice } from '../../design/feedback'
import { focusOnMount } from '../../design/focus'
import { type Key, useLanguage, useT } from '../../i18n/t'
import Dialog from '../../overlay/Dialog'
import './schedules.css'

const CHECK_AFTER_MS = 400

const presets: { cron: string; label: Key }[] = [
  { cron: '@hourly', label: 'schedules.preset_hourly' },
  { cron: '30 2 * * *', label: 'schedules.preset_nightly' },
  { cron: '0 9 * * mon-fri', label: 'schedules.preset_weekdays' },
  { cron: '0 9 * * mon', label: 'schedules.preset_weekly' },
  { cron: '0 9 1 * *', label: 'schedules.preset_monthly' },
]

const priorities: { value: Schedule['priority']; label: Key }[] = [
  { value: 'low', label: 'priority.low' },
  { value: 'normal', label: 'priority.normal' },
  { value: 'high', label: 'priority.high' },
  { value: 'critical', label: 'priority.critical' },
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

function Field(props: { id: string; label: string; help?: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={props.id}>{props.label}</label>
      {props.children}
      {props.help && (
        <span className="field-help" id={`${props.id}-help`}>
          {props.help}
        </span>
      )}
    </div>
  )
}

function Choice<T extends string>(props: {
  id: string
  name: string
  label: string
  value: T
  options: { value: T; label: Key }[]
}) {
  const t = useT()
  return (
    <Field id={props.id} label={props.label}>
      <select id={props.id} className="input" name={props.name} defaultValue={props.value}>
        {props.options.map((option) => (
          <option key={option.value} value={option.value}>
            {t(option.label)}
          </option>
        ))}
      </select>
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

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const body = bodyOf(new FormData(event.currentTarget), kind)
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
      <form className="dialog-body" onSubmit={(event) => void submit(event)}>
        <Field id={`${id}name`} label={t('schedules.name')}>
          <input
            ref={focusOnMount}
            id={`${id}name`}
            className="input"
            name="name"
            defaultValue={schedule?.name}
            required
            maxLength={100}
            autoComplete="off"
          />
        </Field>
        <div className="schedule-when">
          <Field id={`${id}cron`} label={t('schedules.cron')} help={t('schedules.cron_help')}>
            <input
              id={`${id}cron`}
              className="input mono"
              name="cron"
              value={cron}
              onChange={(event) => setCron(event.target.value)}
              required
              maxLength={200}
              autoComplete="off"
              spellCheck={false}
              aria-describedby={`${id}cron-help`}
            />
          </Field>
          <Field id={`${id}zone`} label={t('schedules.time_zone')}>
            <input
              id={`${id}zone`}
              className="input"
              name="time_zone"
              value={zone}
              onChange={(event) => setZone(event.target.value)}
              list={`${id}zones`}
              maxLength={64}
              autoComplete="off"
              spellCheck={false}
            />
            <datalist id={`${id}zones`}>
              {Intl.supportedValuesOf('timeZone').map((name) => (
                <option key={name} value={name} />
              ))}
            </datalist>
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
          <Field id={`${id}issue`} label={t('run.issue')} help={t('schedules.issue_help')}>
            <input
              id={`${id}issue`}
              className="input"
              name="issue"
              inputMode="numeric"
              pattern="#?[1-9][0-9]{0,8}"
              title={t('run.issue_form')}
              defaultValue={schedule?.issue_number ?? ''}
              autoComplete="off"
              required
              aria-describedby={`${id}issue-help`}
            />
          </Field>
        ) : (
          <>
            <Field id={`${id}title`} label={t('run.task_title')}>
              <input
                id={`${id}title`}
                className="input"
                name="title"
                defaultValue={schedule?.title ?? ''}
                required
                maxLength={300}
              />
            </Field>
            <Field id={`${id}prompt`} label={t('run.task_prompt')}>
              <textarea
                id={`${id}prompt`}
                className="input"
                name="prompt"
                rows={5}
                defaultValue={schedule?.prompt ?? ''}
                required
                maxLength={100_000}
              />
            </Field>
          </>
        )}
        <div className="schedule-when">
          <Choice
            id={`${id}overlap`}
            name="overlap"
            label={t('schedules.overlap')}
            value={schedule?.overlap ?? 'skip'}
            options={overlaps}
          />
          <Choice
            id={`${id}missed`}
            name="missed"
            label={t('schedules.missed')}
            value={schedule?.missed ?? 'run_once'}
            options={misses}
          />
          <Choice
            id={`${id}priority`}
            name="priority"
            label={t('priority.title')}
            value={schedule?.priority ?? 'normal'}
            options={priorities}
          />
          <Field id={`${id}jitter`} label={t('schedules.jitter')} help={t('schedules.jitter_help')}>
            <input
              id={`${id}jitter`}
              className="input"
              name="jitter"
              type="number"
              min={0}
              max={60}
              defaultValue={schedule ? Math.round(schedule.jitter_seconds / 60) : 0}
              aria-describedby={`${id}jitter-help`}
            />
          </Field>
        </div>
        {error && <ErrorNotice error={error} title={t('schedules.not_saved')} withFields />}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button type="submit" primary busy={creating.isLoading || updating.isLoading}>
            {t('settings.save')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
