import { Bot, FolderGit2, SlidersHorizontal } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { FormProvider, useForm, useFormContext, useFormState, useWatch } from 'react-hook-form'
import { useNavigate } from 'react-router'
import { useCreateProjectMutation } from '../../api/projects'
import type { ClaudeCheck, GithubCheck } from '../../api/types'
import { Button } from '../../design/Button'
import { ErrorNotice, Notice, Spinner } from '../../design/feedback'
import { Glyph, type Shape, type Tone } from '../../design/Status'
import { toast } from '../../design/toast'
import { type CheckState, type Verdict, verdict } from '../../form/checks'
import { dropDraft, readDraft, useDraft } from '../../form/draft'
import { showFindings } from '../../form/findings'
import { ClaudeChecks, GithubChecks, NameField } from '../../form/live'
import {
  countErrors,
  emptyProject,
  newParts,
  type ProjectForm,
  projectResolver,
  queueFields,
  toCreate,
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
import { currentLanguage, type Key, useT } from '../../i18n/t'
import { MuiRoot } from '../../overlay/MuiRoot'
import './new.css'

const draftKey = 'new-project'

const looks: Record<Exclude<Verdict, 'asking'>, { tone: Tone; shape: Shape; label: Key }> = {
  none: { tone: 'off', shape: 'dashed', label: 'new.state.todo' },
  ok: { tone: 'ok', shape: 'check', label: 'check.ok' },
  warning: { tone: 'warn', shape: 'warning', label: 'check.warning' },
  error: { tone: 'fail', shape: 'cross', label: 'check.error' },
}

/** One part of the form: what its check says, and how many of its fields are wrong. */
function Part(props: { id: keyof typeof newParts; label: Key; verdict: Verdict }) {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  const { errors } = useFormState({ control })
  const wrong = countErrors(errors, newParts[props.id])
  const verdict = wrong > 0 ? 'error' : props.verdict
  const look = verdict === 'asking' ? null : looks[verdict]
  return (
    <li data-tone={look?.tone ?? 'run'}>
      {look ? <Glyph shape={look.shape} /> : <Spinner size={16} />}
      <a href={`#${props.id}`}>{t(props.label)}</a>
      {wrong > 0 ? (
        <span className="part-errors">{t('form.errors', { count: wrong })}</span>
      ) : (
        <span className="visually-hidden">{t(look?.label ?? 'check.asking')}</span>
      )}
    </li>
  )
}

export default function NewForm() {
  const t = useT()
  const navigate = useNavigate()
  const defaults = useMemo(() => emptyProject(currentLanguage()), [])
  const form = useForm<ProjectForm>({
    defaultValues: defaults,
    resolver: projectResolver,
    mode: 'onTouched',
  })
  const { control, setValue, handleSubmit } = form
  const [create, { isLoading }] = useCreateProjectMutation()
  const [failure, setFailure] = useState<unknown>(null)
  const [restored, setRestored] = useState(false)

  useEffect(() => {
    const draft = readDraft(draftKey)
    if (!draft) return
    for (const [name, value] of Object.entries(draft))
      setValue(name as keyof ProjectForm, value as never, { shouldDirty: true })
    setRestored(true)
  }, [setValue])
  useDraft(draftKey, form)

  const driver = useWatch({ control, name: 'driver' })
  const [github, setGithub] = useState<CheckState<GithubCheck>>({ name: 'none' })
  const [claude, setClaude] = useState<CheckState<ClaudeCheck>>({ name: 'none' })
  const models = claude.name === 'answered' ? claude.result.models : []

  const submit = handleSubmit(async (values) => {
    setFailure(null)
    const result = await create(toCreate(values))
    if (result.data) {
      dropDraft(draftKey)
      toast('ok', t('new.created', { name: result.data.name }))
      navigate(`/projects/${result.data.id}`)
      return
    }
    if (!showFindings(form, result.error, t)) setFailure(result.error)
  })

  const githubVerdict = verdict(github)
  const claudeVerdict = driver === 'claude' ? verdict(claude) : 'ok'
  // A check that could not be made does not stand in the way; one that found a fault does.
  const found = github.name === 'answered' && !github.result.ok
  let why: string | null = null
  if (githubVerdict === 'none') why = t('new.why_repository')
  else if (githubVerdict === 'asking') why = t('check.asking')
  else if (found) why = t('new.why_errors')
  let after = t('new.after')
  if (claudeVerdict === 'none') after = t('new.without_key')
  else if (claudeVerdict === 'error') after = t('new.with_errors')
  return (
    <MuiRoot>
      <FormProvider {...form}>
        <form className="columns new-columns" onSubmit={(event) => void submit(event)} noValidate>
          <div className="column">
            {restored && (
              <Notice
                tone="run"
                title={t('draft.restored')}
                action={
                  <Button
                    small
                    onClick={() => {
                      dropDraft(draftKey)
                      form.reset(defaults)
                      setRestored(false)
                    }}
                  >
                    {t('draft.drop')}
                  </Button>
                }
              >
                <p>{t('draft.restored_text')}</p>
              </Notice>
            )}
            <FormCard id="repository" icon={FolderGit2} title={t('new.repository')}>
              <div className="form-grid">
                <RepositoryField />
                <TokenField />
              </div>
              <GithubChecks onState={setGithub} />
              <LabelFields />
              <Advanced
                title={t('form.name_and_addresses')}
                fields={['name', 'github_api_url', 'github_git_url']}
              >
                <NameField />
                <AddressFields />
              </Advanced>
            </FormCard>

            <FormCard id="claude" icon={Bot} title={t('new.claude')}>
              <div className="form-grid">
                <KeyField />
                <ModelField known={models} />
              </div>
              <ClaudeChecks onState={setClaude} />
              <Advanced
                title={t('form.tools_and_address')}
                fields={[
                  'allowed_tools',
                  'disallowed_tools',
                  'permission_mode',
                  'anthropic_base_url',
                ]}
              >
                <ToolFields />
                <ClaudeAddressField />
              </Advanced>
            </FormCard>

            <FormCard id="execution" icon={SlidersHorizontal} title={t('new.execution')}>
              <LimitFields />
              <InstructionField />
              <Advanced title={t('form.queue')} fields={queueFields}>
                <QueueFields />
              </Advanced>
              <Advanced
                title={t('form.how_it_runs')}
                fields={['language', 'driver', 'command', 'allow_workflow_files']}
              >
                <LanguageField />
                <DriverFields />
              </Advanced>
            </FormCard>
          </div>

          <aside className="column new-side">
            <section className="card form-card" aria-labelledby="ready-head">
              <h2 id="ready-head">{t('new.ready')}</h2>
              <ul className="parts">
                <Part id="repository" label="new.repository" verdict={githubVerdict} />
                <Part id="claude" label="new.claude" verdict={claudeVerdict} />
                <Part id="execution" label="new.execution" verdict="ok" />
              </ul>
              {failure !== null && (
                <ErrorNotice error={failure} title={t('new.failed')} withFields />
              )}
              <Button type="submit" primary busy={isLoading} why={why}>
                {t('new.submit')}
              </Button>
              <p className="field-help">{why ?? after}</p>
            </section>
          </aside>
        </form>
      </FormProvider>
    </MuiRoot>
  )
}
