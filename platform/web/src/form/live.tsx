/** The parts of the form that watch it: only they draw again at every letter. */
import { useEffect, useRef } from 'react'
import { useFormContext, useWatch } from 'react-hook-form'
import type { ClaudeCheck, GithubCheck } from '../api/types'
import { useT } from '../i18n/t'
import { CheckList, type CheckState, useClaudeCheck, useGithubCheck } from './checks'
import { TextRow } from './fields'
import { type ProjectForm, parseRepository } from './project'

export interface LiveCheck<T> {
  onState?: (state: CheckState<T>) => void
  /** Ask about this project's saved secret when none is typed. */
  project?: string
  /** Settings ask only about what is being changed. */
  onlyWhenChanged?: boolean
}

export function GithubChecks({ onState, project, onlyWhenChanged }: LiveCheck<GithubCheck>) {
  const t = useT()
  const { control, formState, setValue } = useFormContext<ProjectForm>()
  const [repository, token, apiUrl] = useWatch({
    control,
    name: ['repository', 'github_token', 'github_api_url'],
  })
  const { dirtyFields } = formState
  const changed = dirtyFields.repository || dirtyFields.github_token || dirtyFields.github_api_url
  const { state, again } = useGithubCheck({
    repository: onlyWhenChanged && !changed ? '' : (repository ?? ''),
    token: token ?? '',
    apiUrl: apiUrl ?? '',
    project,
  })
  useEffect(() => onState?.(state), [onState, state])

  // A whole address of another host says where its API is, for as long as it stands there: a token typed for the next
  // repository must not go to the host of the one before.
  const before = useRef(repository ?? '')
  useEffect(() => {
    const now = repository ?? ''
    if (now === before.current) return
    const last = parseRepository(before.current)?.apiUrl
    const found = parseRepository(now)?.apiUrl
    before.current = now
    if (found !== last && (!apiUrl || apiUrl === last))
      setValue('github_api_url', found ?? '', { shouldDirty: true })
  }, [repository, apiUrl, setValue])

  return <CheckList state={state} onAgain={again} label={t('new.repository_checks')} />
}

export function ClaudeChecks({ onState, project, onlyWhenChanged }: LiveCheck<ClaudeCheck>) {
  const t = useT()
  const { control, formState } = useFormContext<ProjectForm>()
  const [key, baseUrl, model, driver] = useWatch({
    control,
    name: ['anthropic_api_key', 'anthropic_base_url', 'model', 'driver'],
  })
  const { dirtyFields } = formState
  const changed =
    dirtyFields.anthropic_api_key || dirtyFields.anthropic_base_url || dirtyFields.model
  const ask = driver === 'claude' && (!onlyWhenChanged || Boolean(changed))
  const { state, again } = useClaudeCheck({
    key: ask ? (key ?? '') : '',
    baseUrl: baseUrl ?? '',
    model: model ?? '',
    project: ask ? project : undefined,
  })
  useEffect(() => onState?.(state), [onState, state])
  return <CheckList state={state} onAgain={again} label={t('new.claude_checks')} />
}

/** The name, with the repository's as what it will be when left empty. */
export function NameField() {
  const t = useT()
  const { control } = useFormContext<ProjectForm>()
  const found = parseRepository(useWatch({ control, name: 'repository' })) ?? undefined
  return (
    <TextRow
      control={control}
      name="name"
      label={t('form.name')}
      help={t('form.name_help')}
      placeholder={found && `${found.owner}/${found.repo}`}
    />
  )
}
