import { Bot, FolderGit2, SlidersHorizontal } from 'lucide-react'
import { type ReactNode, useEffect, useMemo, useState } from 'react'
import { FormProvider, useForm, useWatch } from 'react-hook-form'
import { useNavigate } from 'react-router'
import { describe, describeField, isApiError } from '../../api/problem'
import { useCreateProjectMutation } from '../../api/projects'
import type { ClaudeCheck, GithubCheck } from '../../api/types'
import { Button } from '../../design/Button'
import { ErrorNotice, Notice, Spinner } from '../../design/feedback'
import { Glyph, type Shape, type Tone } from '../../design/Status'
import { toast } from '../../design/toast'
import { type CheckState, type Verdict, verdict } from '../../form/checks'
import { applyFieldErrors, dropDraft, readDraft, useDraft } from '../../form/draft'
import { SecretRow, TextRow } from '../../form/fields'
import { ClaudeChecks, GithubChecks, NameField } from '../../form/live'
import {
  emptyProject,
  formField,
  type ProjectForm,
  projectResolver,
  toCreate,
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

function Part(props: { verdict: Verdict; to: string; children: ReactNode }) {
  const t = useT()
  const look = props.verdict === 'asking' ? null : looks[props.verdict]
  return (
    <li data-tone={look?.tone ?? 'run'}>
      {look ? <Glyph shape={look.shape} /> : <Spinner size={16} />}
      <a href={props.to}>{props.children}</a>
      <span className="visually-hidden">{t(look?.label ?? 'check.asking')}</span>
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
    const { error } = result
    if (isApiError(error) && error.errors.length > 0) {
      const left = applyFieldErrors(
        form,
        error.errors.map((each) => ({
          field: formField(each.field),
          message: describeField(each, t),
        })),
      )
      if (left.length === 0) return
    } else if (isApiError(error) && error.field && formField(error.field)) {
      applyFieldErrors(form, [{ field: formField(error.field), message: describe(error, t) }])
      return
    }
    setFailure(error)
  })

  const githubVerdict = verdict(github)
  const claudeVerdict = driver === 'claude' ? verdict(claude) : 'ok'
  // A check that could not be made does not stand in the way; one that found a fault does.
  const found = github.name === 'answered' && !github.result.ok
  let why: string | null = null
  if (githubVerdict === 'none') why = t('new.why_repository')
  else if (githubVerdict === 'asking') why = t('check.asking')
  else if (found) why = t('new.why_errors')
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
            <section className="card form-card" id="repository" aria-labelledby="repository-head">
              <h2 id="repository-head">
                <FolderGit2 size={19} aria-hidden="true" /> {t('new.repository')}
              </h2>
              <div className="form-grid">
                <TextRow
                  control={control}
                  name="repository"
                  label={t('form.repository_label')}
                  help={t('form.repository_help')}
                  placeholder="owner/repository"
                  mono
                  required
                />
                <SecretRow
                  control={control}
                  name="github_token"
                  label={t('form.github_token')}
                  help={t('form.github_token_help')}
                  placeholder="github_pat_…"
                />
              </div>
              <GithubChecks onState={setGithub} />
              <LabelFields />
              <details className="advanced">
                <summary>{t('form.advanced')}</summary>
                <div className="form-stack">
                  <NameField />
                  <AddressFields />
                </div>
              </details>
            </section>

            <section className="card form-card" id="claude" aria-labelledby="claude-head">
              <h2 id="claude-head">
                <Bot size={19} aria-hidden="true" /> {t('new.claude')}
              </h2>
              <div className="form-grid">
                <SecretRow
                  control={control}
                  name="anthropic_api_key"
                  label={t('form.anthropic_api_key')}
                  help={t('form.anthropic_api_key_help')}
                  placeholder="sk-ant-…"
                />
                <TextRow
                  control={control}
                  name="model"
                  label={t('form.model')}
                  help={
                    models.length > 0
                      ? t('form.model_known', { models: models.slice(0, 4).join(', ') })
                      : t('form.model_help')
                  }
                  placeholder={t('execution.model_default')}
                  mono
                />
              </div>
              <ClaudeChecks onState={setClaude} />
              <details className="advanced">
                <summary>{t('form.advanced_claude')}</summary>
                <div className="form-stack">
                  <ToolFields />
                  <ClaudeAddressField />
                </div>
              </details>
            </section>

            <section className="card form-card" id="execution" aria-labelledby="execution-head">
              <h2 id="execution-head">
                <SlidersHorizontal size={19} aria-hidden="true" /> {t('new.execution')}
              </h2>
              <LimitFields />
              <InstructionField />
              <details className="advanced">
                <summary>{t('form.advanced')}</summary>
                <div className="form-stack">
                  <LanguageField />
                  <DriverFields />
                </div>
              </details>
            </section>
          </div>

          <aside className="column new-side">
            <section className="card form-card" aria-labelledby="ready-head">
              <h2 id="ready-head">{t('new.ready')}</h2>
              <ul className="parts">
                <Part verdict={githubVerdict} to="#repository">
                  {t('new.repository')}
                </Part>
                <Part verdict={claudeVerdict} to="#claude">
                  {t('new.claude')}
                </Part>
                <Part
                  verdict={form.formState.isValid || !form.formState.isDirty ? 'ok' : 'warning'}
                  to="#execution"
                >
                  {t('new.execution')}
                </Part>
              </ul>
              {failure !== null && <ErrorNotice error={failure} title={t('new.failed')} />}
              <Button type="submit" primary busy={isLoading} why={why}>
                {t('new.submit')}
              </Button>
              <p className="field-help">
                {why ?? (claudeVerdict === 'error' ? t('new.with_errors') : t('new.after'))}
              </p>
            </section>
          </aside>
        </form>
      </FormProvider>
    </MuiRoot>
  )
}
