/** All settings of a project in one form; what changed is counted, saved together, and drafts survive
 *  leaving the page. */
import { Bot, FolderGit2, OctagonAlert, SlidersHorizontal, Tags } from 'lucide-react'
import { type ReactNode, useEffect, useMemo, useState } from 'react'
import { FormProvider, useForm, useFormContext } from 'react-hook-form'
import { useNavigate } from 'react-router'
import { isApiError } from '../../api/problem'
import { useDeleteProjectMutation, useUpdateProjectMutation } from '../../api/projects'
import type { Project } from '../../api/types'
import { Button } from '../../design/Button'
import { ErrorNotice, Notice } from '../../design/feedback'
import { RelativeTime } from '../../design/Time'
import { toast } from '../../design/toast'
import { dropDraft, readDraft, useDraft } from '../../form/draft'
import { TextRow } from '../../form/fields'
import { showFindings } from '../../form/findings'
import { ClaudeChecks, GithubChecks } from '../../form/live'
import {
  countErrors,
  type FieldName,
  fromProject,
  type ProjectForm,
  projectResolver,
  queueFields,
  settingsParts,
  toUpdate,
} from '../../form/project'
import {
  AddressFields,
  Advanced,
  ClaudeAddressField,
  DriverFields,
  FormCard,
  InstructionField,
  KeyField,
  LabelFields,
  LanguageField,
  LimitFields,
  ModelField,
  QueueFields,
  RepositoryField,
  TokenField,
  ToolFields,
} from '../../form/sections'
import { useT } from '../../i18n/t'
import { ConfirmDialog } from '../../overlay/lazy'
import { MuiRoot } from '../../overlay/MuiRoot'

/** A stored secret is never shown, only replaced: then `children`, its field, is there. */
function Secret(props: {
  name: 'github_token' | 'anthropic_api_key'
  state: Project['secrets']['github_token']
  label: string
  children: ReactNode
}) {
  const t = useT()
  const form = useFormContext<ProjectForm>()
  const [open, setOpen] = useState(!props.state.set)
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
          {!form.formState.disabled && (
            <Button small onClick={() => setOpen(true)}>
              {t('secret.replace')}
            </Button>
          )}
        </div>
      </div>
    )
  return (
    <div>
      {props.children}
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
    <FormCard id="danger" icon={OctagonAlert} title={t('danger.title')} className="danger">
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
    </FormCard>
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
  const wrong = (id: keyof typeof settingsParts | 'danger') =>
    id === 'danger' ? 0 : countErrors(formState.errors, settingsParts[id])
  const replaces = (secret: { set: boolean }) => (secret.set ? t('secret.replace_help') : undefined)

  useEffect(() => {
    const draft = readDraft(draftKey)
    for (const [name, value] of Object.entries(draft ?? {}))
      setValue(name as FieldName, value as never, { shouldDirty: true })
  }, [draftKey, setValue])
  useDraft(draftKey, form)

  // The address may name a part; it was not there yet when the page was.
  useEffect(() => {
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView()
  }, [])

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
    if (!showFindings(form, error, t)) setFailure(error)
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
                  {wrong(section.id) > 0 && (
                    <span className="part-errors">
                      {t('form.errors', { count: wrong(section.id) })}
                    </span>
                  )}
                </a>
              ))}
          </nav>
          <div className="column">
            {readOnly && <Notice tone="off" title={t('settings.read_only')} />}
            <FormCard id="general" icon={FolderGit2} title={t('settings.general')}>
              <div className="form-grid">
                <TextRow control={control} name="name" label={t('form.name')} required />
                <LanguageField />
                <RepositoryField />
                <Secret
                  key={`g${base.version}`}
                  name="github_token"
                  state={project.secrets.github_token}
                  label={t('form.github_token')}
                >
                  <TokenField note={replaces(project.secrets.github_token)} />
                </Secret>
              </div>
              <GithubChecks project={project.id} onlyWhenChanged />
              <Advanced
                title={t('form.github_addresses')}
                fields={['github_api_url', 'github_git_url']}
              >
                <AddressFields />
              </Advanced>
            </FormCard>

            <FormCard id="trigger" icon={Tags} title={t('settings.trigger')}>
              <LabelFields />
            </FormCard>

            <FormCard id="claude" icon={Bot} title={t('settings.claude')}>
              <div className="form-grid">
                <Secret
                  key={`c${base.version}`}
                  name="anthropic_api_key"
                  state={project.secrets.anthropic_api_key}
                  label={t('form.anthropic_api_key')}
                >
                  <KeyField note={replaces(project.secrets.anthropic_api_key)} />
                </Secret>
                <ModelField />
              </div>
              <ClaudeChecks project={project.id} onlyWhenChanged />
              <InstructionField />
              <ToolFields />
              <Advanced title={t('form.claude_address')} fields={['anthropic_base_url']}>
                <ClaudeAddressField />
              </Advanced>
            </FormCard>

            <FormCard id="limits" icon={SlidersHorizontal} title={t('settings.limits')}>
              <LimitFields />
              <Advanced title={t('form.queue')} fields={queueFields}>
                <QueueFields />
              </Advanced>
              <DriverFields />
            </FormCard>

            {!readOnly && <Danger project={project} />}

            {!readOnly && (changed.length > 0 || failure !== null || conflict) && (
              <div className="savebar">
                {conflict && (
                  <Notice tone="warn" role="alert" title={t('settings.conflict')}>
                    <p>{t('settings.conflict_text')}</p>
                  </Notice>
                )}
                {failure !== null && (
                  <ErrorNotice error={failure} title={t('settings.failed')} withFields />
                )}
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
