/** All settings of a project in one form; what changed is counted, saved together, and drafts survive
 *  leaving the page. */
import { Bot, FolderGit2, OctagonAlert, SlidersHorizontal, Tags } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { FormProvider, useForm, useFormContext } from 'react-hook-form'
import { useNavigate } from 'react-router'
import { describe, describeField, isApiError } from '../../api/problem'
import { useDeleteProjectMutation, useUpdateProjectMutation } from '../../api/projects'
import type { Project } from '../../api/types'
import { Button } from '../../design/Button'
import { ErrorNotice, Notice } from '../../design/feedback'
import { RelativeTime } from '../../design/Time'
import { toast } from '../../design/toast'
import { applyFieldErrors, dropDraft, readDraft, useDraft } from '../../form/draft'
import { SecretRow, TextRow } from '../../form/fields'
import { ClaudeChecks, GithubChecks } from '../../form/live'
import {
  type FieldName,
  formField,
  fromProject,
  type ProjectForm,
  projectResolver,
  toUpdate,
} from '../../form/project'
import {
  AddressFields,
  ClaudeAddressField,
  DriverFields,
  InstructionField,
  LabelFields,
  LanguageField,
  LimitFields,
  ToolFields,
} from '../../form/sections'
import { useT } from '../../i18n/t'
import { ConfirmDialog } from '../../overlay/lazy'
import { MuiRoot } from '../../overlay/MuiRoot'

function Secret(props: {
  name: 'github_token' | 'anthropic_api_key'
  state: Project['secrets']['github_token']
  label: string
  help: string
  placeholder: string
}) {
  const t = useT()
  const [open, setOpen] = useState(!props.state.set)
  const form = useFormContext<ProjectForm>()
  // The server may ask for it again, so that it is not sent to another address unasked.
  const isAskedFor = Boolean(form.formState.errors[props.name])
  if (!open && !isAskedFor)
    return (
      <div>
        <div className="form-label">{props.label}</div>
        <div className="secret-set">
          <span aria-hidden="true">••••••••••••</span>
          <span className="muted">
            {t('secret.set')} <RelativeTime at={props.state.updated_at} />
          </span>
          <Button small onClick={() => setOpen(true)}>
            {t('secret.replace')}
          </Button>
        </div>
      </div>
    )
  return (
    <div>
      <SecretRow
        control={form.control}
        name={props.name}
        label={props.label}
        help={props.state.set ? t('secret.replace_help') : props.help}
        placeholder={props.placeholder}
      />
      {props.state.set && (
        <Button
          small
          quiet
          onClick={() => {
            form.resetField(props.name)
            setOpen(false)
          }}
        >
          {t('secret.keep')}
        </Button>
      )}
    </div>
  )
}

function Danger({ project }: { project: Project }) {
  const t = useT()
  const navigate = useNavigate()
  const [open, setOpen] = useState(false)
  const [remove] = useDeleteProjectMutation()
  const run = async () => {
    await remove(project.id).unwrap()
    dropDraft(`project-${project.id}`)
    toast('ok', t('danger.deleted', { name: project.name }))
    navigate('/projects')
  }
  return (
    <section className="card form-card danger" id="danger" aria-labelledby="danger-head">
      <h2 id="danger-head">
        <OctagonAlert size={19} aria-hidden="true" /> {t('danger.title')}
      </h2>
      <div className="danger-row">
        <div>
          <b>{t('danger.delete')}</b>
          <p className="muted">{t('danger.delete_text')}</p>
        </div>
        <Button danger onClick={() => setOpen(true)}>
          {t('danger.delete')}
        </Button>
      </div>
      {open && (
        <ConfirmDialog
          title={t('danger.delete_title', { name: project.name })}
          confirm={t('danger.delete_confirm', { name: project.id })}
          danger
          typed={project.id}
          onConfirm={run}
          onClose={() => setOpen(false)}
        >
          <p>{t('danger.delete_what')}</p>
        </ConfirmDialog>
      )}
    </section>
  )
}

const sections = [
  { id: 'general', label: 'settings.general' },
  { id: 'trigger', label: 'settings.trigger' },
  { id: 'claude', label: 'settings.claude' },
  { id: 'limits', label: 'settings.limits' },
  { id: 'danger', label: 'danger.title' },
] as const

export default function SettingsTab({
  project,
  readOnly,
}: {
  project: Project
  readOnly: boolean
}) {
  const t = useT()
  const draftKey = `project-${project.id}`
  const [base, setBase] = useState(project)
  const defaults = useMemo(() => fromProject(base), [base])
  const form = useForm<ProjectForm>({
    defaultValues: defaults,
    resolver: projectResolver,
    mode: 'onTouched',
    disabled: readOnly,
  })
  const { control, handleSubmit, reset, setValue, formState } = form
  const [update, { isLoading }] = useUpdateProjectMutation()
  const [failure, setFailure] = useState<unknown>(null)
  const [conflict, setConflict] = useState(false)
  const changed = Object.keys(formState.dirtyFields) as FieldName[]

  useEffect(() => {
    const draft = readDraft(draftKey)
    for (const [name, value] of Object.entries(draft ?? {}))
      setValue(name as FieldName, value as never, { shouldDirty: true })
  }, [draftKey, setValue])
  useDraft(draftKey, form)

  // Somebody saved elsewhere: what is untouched here follows, what is being changed stays.
  useEffect(() => {
    if (project.version === base.version) return
    setBase(project)
    reset(fromProject(project), { keepDirtyValues: true })
  }, [project, base.version, reset])

  const submit = handleSubmit(async (values) => {
    setFailure(null)
    setConflict(false)
    const result = await update({
      id: project.id,
      version: base.version,
      body: toUpdate(values, changed),
    })
    if (result.data) {
      dropDraft(draftKey)
      setBase(result.data)
      reset(fromProject(result.data))
      toast('ok', t('settings.saved'))
      return
    }
    const { error } = result
    if (isApiError(error) && error.status === 412) {
      setConflict(true)
      return
    }
    if (isApiError(error)) {
      const found = error.errors.length > 0 ? error.errors : []
      const left = applyFieldErrors(
        form,
        found.map((each) => ({
          field: formField(each.field),
          message: describeField(each, t),
        })),
      )
      if (found.length > 0 && left.length === 0) return
      if (found.length === 0 && error.field && formField(error.field)) {
        applyFieldErrors(form, [{ field: formField(error.field), message: describe(error, t) }])
        return
      }
    }
    setFailure(error)
  })

  useEffect(() => {
    const save = (event: KeyboardEvent) => {
      if (event.key !== 's' || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      if (changed.length > 0) void submit()
    }
    addEventListener('keydown', save)
    return () => removeEventListener('keydown', save)
  }, [submit, changed.length])

  return (
    <MuiRoot>
      <FormProvider {...form}>
        <form className="settings" onSubmit={(event) => void submit(event)} noValidate>
          <nav className="settings-nav" aria-label={t('settings.sections')}>
            {sections
              .filter((section) => !readOnly || section.id !== 'danger')
              .map((section) => (
                <a key={section.id} href={`#${section.id}`}>
                  {t(section.label)}
                </a>
              ))}
          </nav>
          <div className="column">
            {readOnly && <Notice tone="off" title={t('settings.read_only')} />}
            <section className="card form-card" id="general" aria-labelledby="general-head">
              <h2 id="general-head">
                <FolderGit2 size={19} aria-hidden="true" /> {t('settings.general')}
              </h2>
              <div className="form-grid">
                <TextRow control={control} name="name" label={t('form.name')} required />
                <LanguageField />
                <TextRow
                  control={control}
                  name="repository"
                  label={t('form.repository_label')}
                  mono
                  required
                />
                <Secret
                  key={`g${base.version}`}
                  name="github_token"
                  state={project.secrets.github_token}
                  label={t('form.github_token')}
                  help={t('form.github_token_help')}
                  placeholder="github_pat_…"
                />
              </div>
              <GithubChecks project={project.id} onlyWhenChanged />
              <details className="advanced">
                <summary>{t('form.advanced')}</summary>
                <AddressFields />
              </details>
            </section>

            <section className="card form-card" id="trigger" aria-labelledby="trigger-head">
              <h2 id="trigger-head">
                <Tags size={19} aria-hidden="true" /> {t('settings.trigger')}
              </h2>
              <LabelFields />
            </section>

            <section className="card form-card" id="claude" aria-labelledby="claude-head">
              <h2 id="claude-head">
                <Bot size={19} aria-hidden="true" /> {t('settings.claude')}
              </h2>
              <div className="form-grid">
                <Secret
                  key={`c${base.version}`}
                  name="anthropic_api_key"
                  state={project.secrets.anthropic_api_key}
                  label={t('form.anthropic_api_key')}
                  help={t('form.anthropic_api_key_help')}
                  placeholder="sk-ant-…"
                />
                <TextRow
                  control={control}
                  name="model"
                  label={t('form.model')}
                  help={t('form.model_help')}
                  placeholder={t('execution.model_default')}
                  mono
                />
              </div>
              <ClaudeChecks project={project.id} onlyWhenChanged />
              <InstructionField />
              <ToolFields />
              <details className="advanced">
                <summary>{t('form.advanced')}</summary>
                <ClaudeAddressField />
              </details>
            </section>

            <section className="card form-card" id="limits" aria-labelledby="limits-head">
              <h2 id="limits-head">
                <SlidersHorizontal size={19} aria-hidden="true" /> {t('settings.limits')}
              </h2>
              <LimitFields />
              <DriverFields />
            </section>

            {!readOnly && <Danger project={project} />}

            {!readOnly && (changed.length > 0 || failure !== null || conflict) && (
              <div className="savebar">
                {conflict && (
                  <Notice tone="warn" role="alert" title={t('settings.conflict')}>
                    <p>{t('settings.conflict_text')}</p>
                  </Notice>
                )}
                {failure !== null && <ErrorNotice error={failure} title={t('settings.failed')} />}
                <div className="savebar-row">
                  <span>
                    {t('settings.changed', { count: changed.length })}
                    <span className="muted"> {t('settings.effect')}</span>
                  </span>
                  <Button
                    onClick={() => {
                      dropDraft(draftKey)
                      reset(defaults)
                      setFailure(null)
                      setConflict(false)
                    }}
                  >
                    {t('settings.revert')}
                  </Button>
                  <Button type="submit" primary busy={isLoading}>
                    {t('settings.save')}
                  </Button>
                </div>
              </div>
            )}
          </div>
        </form>
      </FormProvider>
    </MuiRoot>
  )
}
