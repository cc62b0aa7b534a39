/**
 * Live checks: what GitHub and the Claude API say about what is in the form, asked a moment after the
 * typing stops; the question before is given up.
 */
import { useEffect, useRef, useState } from 'react'
import { useStore } from 'react-redux'
import { projectsApi } from '../api/projects'
import type { CheckRow, ClaudeCheck, GithubCheck } from '../api/types'
import type { Store } from '../app/store'
import { ErrorNotice, Spinner } from '../design/feedback'
import { Glyph, type Shape, type Tone } from '../design/Status'
import { pick, useLanguage, useT } from '../i18n/t'
import { parseRepository } from './project'

const settleMs = 400

export type CheckState<T> =
  | { name: 'none' }
  | { name: 'asking'; last: T | null }
  | { name: 'answered'; result: T }
  | { name: 'failed'; error: unknown }

interface Running<T> {
  abort: () => void
  unwrap: () => Promise<T>
}

/** Asks again whenever `question` changes; null = nothing to ask. */
function useCheck<T>(question: string | null, ask: (store: Store, question: string) => Running<T>) {
  const store = useStore() as Store
  const [state, setState] = useState<CheckState<T>>({ name: 'none' })
  const [round, setRound] = useState(0)
  const asker = useRef(ask)

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` asks the same again
  useEffect(() => {
    if (question === null) {
      setState({ name: 'none' })
      return
    }
    setState((before) => ({
      name: 'asking',
      last: before.name === 'answered' ? before.result : null,
    }))
    let running: Running<T> | null = null
    let gone = false
    const timer = setTimeout(() => {
      running = asker.current(store, question)
      running.unwrap().then(
        (result) => !gone && setState({ name: 'answered', result }),
        (error: unknown) => !gone && setState({ name: 'failed', error }),
      )
    }, settleMs)
    return () => {
      gone = true
      clearTimeout(timer)
      running?.abort()
    }
  }, [question, store, round])

  return { state, again: () => setRound((n) => n + 1) }
}

export function useGithubCheck(input: {
  repository: string
  token: string
  apiUrl: string
  project?: string
}) {
  const found = parseRepository(input.repository)
  const question =
    found && (input.token.trim() || input.project)
      ? JSON.stringify({
          github_owner: found.owner,
          github_repo: found.repo,
          github_token: input.token.trim() || null,
          ...(input.apiUrl.trim() ? { github_api_url: input.apiUrl.trim() } : {}),
          ...(input.project ? { project: input.project } : {}),
        })
      : null
  return useCheck<GithubCheck>(question, (store, body) =>
    store.dispatch(projectsApi.endpoints.checkGithub.initiate(JSON.parse(body))),
  )
}

export function useClaudeCheck(input: {
  key: string
  baseUrl: string
  model: string
  project?: string
}) {
  const question =
    input.key.trim() || input.project
      ? JSON.stringify({
          anthropic_api_key: input.key.trim() || null,
          ...(input.baseUrl.trim() ? { anthropic_base_url: input.baseUrl.trim() } : {}),
          ...(input.model.trim() ? { model: input.model.trim() } : {}),
          ...(input.project ? { project: input.project } : {}),
        })
      : null
  return useCheck<ClaudeCheck>(question, (store, body) =>
    store.dispatch(projectsApi.endpoints.checkClaude.initiate(JSON.parse(body))),
  )
}

const looks: Record<CheckRow['state'], { tone: Tone; shape: Shape }> = {
  ok: { tone: 'ok', shape: 'check' },
  warning: { tone: 'warn', shape: 'warning' },
  error: { tone: 'fail', shape: 'cross' },
}

export type Verdict = 'none' | 'asking' | 'ok' | 'warning' | 'error'

export function verdict(state: CheckState<{ ok: boolean; checks: CheckRow[] }>): Verdict {
  if (state.name === 'none') return 'none'
  if (state.name === 'asking') return 'asking'
  if (state.name === 'failed') return 'error'
  if (!state.result.ok) return 'error'
  return state.result.checks.some((row) => row.state !== 'ok') ? 'warning' : 'ok'
}

export function CheckList(props: {
  state: CheckState<{ checks: CheckRow[] }>
  onAgain: () => void
  label: string
}) {
  const t = useT()
  const language = useLanguage()
  const { state } = props
  if (state.name === 'failed') {
    return <ErrorNotice error={state.error} onRetry={props.onAgain} />
  }
  const rows =
    state.name === 'answered'
      ? state.result.checks
      : state.name === 'asking'
        ? state.last?.checks
        : []
  return (
    <div aria-live="polite" aria-busy={state.name === 'asking'}>
      {state.name === 'asking' && (
        <p className="status-text" data-tone="run">
          <Spinner /> {t('check.asking')}
        </p>
      )}
      {rows && rows.length > 0 && (
        <ul
          className={`checks ${state.name === 'asking' ? 'refreshing' : ''}`}
          aria-label={props.label}
        >
          {rows.map((row) => (
            <li key={row.name} data-tone={looks[row.state].tone}>
              <Glyph shape={looks[row.state].shape} size={15} />
              <span className="break">
                <span className="visually-hidden">{t(`check.${row.state}`)}: </span>
                {pick(row.message, language)}
                {row.fix && <span className="check-fix">{pick(row.fix, language)}</span>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
