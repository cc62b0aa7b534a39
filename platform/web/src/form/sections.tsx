/** The parts of a project's form; creation and settings put them together differently. */
import type { LucideIcon } from 'lucide-react'
import { type ReactNode, useEffect, useId, useRef } from 'react'
import { useFormContext, useFormState, useWatch } from 'react-hook-form'
import { ExternalLink } from '../design/ExternalLink'
import { useT } from '../i18n/t'
import { TimeZones } from '../parts/TimeZones'
import { ChoiceRow, SecretRow, SwitchRow, TextRow, WordsRow } from './fields'
import { type FieldName, type ProjectForm, tokenPage } from './project'

export function FormCard(props: {
  id: string
  icon: LucideIcon
  title: string
  className?: string
  children: ReactNode
}) {
  return (
    <section
      className={`card form-card ${props.className ?? ''}`}
      id={props.id}
      aria-labelledby={`${props.id}-head`}
    >
      <h2 id={`${props.id}-head`}>
        <props.icon size={19} aria-hidden="true" /> {props.title}
      </h2>
      {props.children}
    </section>
  )
}

/** Folded away; opens by itself when one of its fields is wrong. */
export function Advanced(props: { title: string; fields: FieldName[]; children: ReactNode }) {
  const { control, setFocus } = useFormContext<ProjectForm>()
  const { errors } = useFormState({ control })
  const details = useRef<HTMLDetailsElement>(null)
  const wrong = props.fields.find((name) => errors[name] !== undefined)
  useEffect(() => {
    if (wrong === undefined || details.current === null || details.current.open) return
    details.current.open = true
    // What was folded away could not be given the focus; a wrong field before it has it.
    if (document.activeElement?.getAttribute('aria-invalid') !== 'true') setFocus(wrong)
  }, [wrong, setFocus])
  return (
    <details className="advanced" ref={details}>
      <summary>{props.title}</summary>
      <div className="form-stack">{props.children}</div>
    </details>
  )
}

export function TokenField({ note }: { note?: string }) {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  const page = tokenPage(useWatch({ control, name: 'github_api_url' }) ?? '')
  return (
    <SecretRow
      control={control}
      name="github_token"
      label={t('form.github_token')}
      help={
        <>
          {note && <div>{note}</div>}
          {t('form.github_token_help')}{' '}
          {page && <ExternalLink href={page}>{t('form.github_token_make')}</ExternalLink>}
        </>
      }
      placeholder="github_pat_…"
    />
  )
}

export function KeyField({ note }: { note?: string }) {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  return (
    <SecretRow
      control={control}
      name="anthropic_api_key"
      label={t('form.anthropic_api_key')}
      help={
        <>
          {note && <div>{note}</div>}
          {t('form.anthropic_api_key_help')}{' '}
          <ExternalLink href="https://platform.claude.com/settings/keys">
            {t('form.anthropic_api_key_make')}
          </ExternalLink>
        </>
      }
      placeholder="sk-ant-…"
    />
  )
}

export function RepositoryField() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  return (
    <TextRow
      control={control}
      name="repository"
      label={t('form.repository_label')}
      help={t('form.repository_help')}
      placeholder="owner/repository"
      mono
      required
    />
  )
}

export function ModelField({ known = [] }: { known?: string[] }) {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  return (
    <TextRow
      control={control}
      name="model"
      label={t('form.model')}
      help={
        known.length > 0
          ? t('form.model_known', { models: known.slice(0, 4).join(', ') })
          : t('form.model_help')
      }
      placeholder={t('execution.model_default')}
      mono
    />
  )
}

const tools = [
  'Bash',
  'Bash(git:*)',
  'Bash(npm:*)',
  'Edit',
  'Glob',
  'Grep',
  'NotebookEdit',
  'Read',
  'Task',
  'TodoWrite',
  'WebFetch',
  'WebSearch',
  'Write',
]

export function LabelFields() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  const prefix = useWatch({ control, name: 'label_prefix' })
  return (
    <div className="form-grid">
      <TextRow
        control={control}
        name="trigger_label"
        label={t('form.trigger_label')}
        help={t('form.trigger_label_help')}
        required
      />
      <TextRow
        control={control}
        name="label_prefix"
        label={t('form.label_prefix_label')}
        help={t('form.label_prefix_help', { example: `${prefix}working, ${prefix}done` })}
        required
      />
      <TextRow
        control={control}
        name="poll_interval_seconds"
        label={t('form.poll_interval')}
        help={t('form.poll_interval_help')}
        unit={t('unit.seconds')}
        numeric
        required
      />
    </div>
  )
}

export function AddressFields() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  return (
    <div className="form-grid">
      <TextRow
        control={control}
        name="github_api_url"
        label={t('form.github_api_url')}
        help={t('form.github_api_url_help')}
        placeholder="https://api.github.com"
        mono
      />
      <TextRow
        control={control}
        name="github_git_url"
        label={t('form.github_git_url')}
        help={t('form.github_git_url_help')}
        placeholder="https://github.com"
        mono
      />
    </div>
  )
}

export function ClaudeAddressField() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  return (
    <TextRow
      control={control}
      name="anthropic_base_url"
      label={t('form.anthropic_base_url')}
      help={t('form.anthropic_base_url_help')}
      placeholder="https://api.anthropic.com"
      mono
    />
  )
}

export function ToolFields() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  const modes = ['acceptEdits', 'default', 'dontAsk', 'bypassPermissions', 'plan'] as const
  return (
    <>
      <div className="form-grid">
        <WordsRow
          control={control}
          name="allowed_tools"
          label={t('form.allowed_tools')}
          help={t('form.allowed_tools_help')}
          suggestions={tools}
        />
        <WordsRow
          control={control}
          name="disallowed_tools"
          label={t('form.disallowed_tools')}
          help={t('form.disallowed_tools_help')}
          suggestions={tools}
        />
      </div>
      <ChoiceRow
        control={control}
        name="permission_mode"
        label={t('form.permission_mode')}
        help={t('form.permission_mode_help')}
        options={modes.map((mode) => ({ value: mode, label: t(`mode.${mode}`) }))}
      />
    </>
  )
}

export function InstructionField() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  return (
    <TextRow
      control={control}
      name="instructions"
      label={t('form.instructions')}
      help={t('form.instructions_help')}
      lines={4}
    />
  )
}

export function LimitFields() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  return (
    <div className="form-grid">
      <TextRow
        control={control}
        name="max_concurrent"
        label={t('form.max_concurrent')}
        help={t('form.max_concurrent_help')}
        numeric
        required
      />
      <TextRow
        control={control}
        name="timeout_minutes"
        label={t('form.timeout')}
        help={t('form.timeout_help')}
        unit={t('unit.minutes')}
        numeric
        required
      />
      <TextRow
        control={control}
        name="silence_minutes"
        label={t('form.silence_label')}
        help={t('form.silence_help')}
        unit={t('unit.minutes')}
        numeric
        required
      />
      <TextRow
        control={control}
        name="max_turns"
        label={t('form.max_turns')}
        help={t('form.max_turns_help')}
        placeholder={t('form.no_limit')}
        numeric
      />
      <TextRow
        control={control}
        name="max_budget_usd"
        label={t('form.max_budget')}
        help={t('form.max_budget_help')}
        placeholder={t('form.no_limit')}
        unit="USD"
        numeric
      />
    </div>
  )
}

/** When and how often the queue gives this project a turn, and how often it tries again. */
export function QueueFields() {
  const t = useT()
  const id = useId()
  const { control } = useFormContext<ProjectForm>()
  return (
    <div className="form-grid">
      <TextRow
        control={control}
        name="active_hours"
        label={t('form.active_hours')}
        help={t('form.active_hours_help')}
        placeholder="mon-fri 09:00-18:00"
      />
      <TextRow
        control={control}
        name="time_zone"
        label={t('form.time_zone')}
        help={t('form.time_zone_help')}
        placeholder="UTC"
        list={`${id}zones`}
      />
      <TimeZones id={`${id}zones`} />
      <TextRow
        control={control}
        name="queue_weight"
        label={t('form.queue_weight')}
        help={t('form.queue_weight_help')}
        numeric
      />
      <TextRow
        control={control}
        name="retry_limit"
        label={t('form.retry_limit')}
        help={t('form.retry_limit_help')}
        numeric
      />
    </div>
  )
}

export function DriverFields() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  const driver = useWatch({ control, name: 'driver' })
  const drivers = ['claude', 'command', 'noop'] as const
  return (
    <>
      <ChoiceRow
        control={control}
        name="driver"
        label={t('form.driver')}
        help={t('form.driver_help')}
        options={drivers.map((value) => ({ value, label: t(`driver.${value}`) }))}
      />
      {driver === 'command' && (
        <TextRow
          control={control}
          name="command"
          label={t('form.command')}
          help={t('form.command_help')}
          lines={3}
          mono
          required
        />
      )}
      <SwitchRow
        control={control}
        name="allow_workflow_files"
        label={t('form.workflow_files')}
        help={t('form.workflow_files_help')}
      />
    </>
  )
}

export function LanguageField() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  return (
    <ChoiceRow
      control={control}
      name="language"
      label={t('form.language')}
      help={t('form.language_help')}
      options={[
        { value: 'ja', label: '日本語' },
        { value: 'en', label: 'English' },
      ]}
    />
  )
}
