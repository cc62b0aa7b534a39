/**
 * The first start: the one-time link from the server's console makes the administrator. The token is
 * in the fragment, which browsers send to nobody, and is taken out of the address at once.
 */
import { CircleCheck } from 'lucide-react'
import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { Link } from 'react-router'
import { describe, describeField, isApiError } from '../../api/problem'
import { finishSetup } from '../../api/session'
import type { Me } from '../../api/types'
import { Button } from '../../design/Button'
import { Notice } from '../../design/feedback'
import { useTitle } from '../../design/Page'
import { useLanguage, useT } from '../../i18n/t'
import { Door } from '../../parts/Door'

const shortestPassword = 8

function takeToken(): string {
  const token = location.hash.slice(1)
  if (token) history.replaceState(history.state, '', location.pathname)
  return token
}

let linkToken: string | null = null

export default function SetupPage(props: {
  required: boolean
  onDone: (user: Me) => Promise<void>
}) {
  const t = useT()
  useTitle(t('setup.title'))
  if (!props.required)
    return (
      <Door title={t('setup.done_title')} lead={t('setup.done_text')}>
        <p className="setup-done">
          <CircleCheck size={18} aria-hidden="true" /> <Link to="/login">{t('login.title')}</Link>
        </p>
      </Door>
    )
  return <SetupForm onDone={props.onDone} />
}

function SetupForm({ onDone }: { onDone: (user: Me) => Promise<void> }) {
  const t = useT()
  const id = useId()
  const language = useLanguage()
  const [token] = useState(() => {
    linkToken = takeToken() || linkToken
    return linkToken ?? ''
  })
  const first = useRef<HTMLInputElement>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [short, setShort] = useState(false)
  const fieldErrors = isApiError(error) ? error.errors : []
  const problem = (field: string) => fieldErrors.find((each) => each.field === field)

  useEffect(() => first.current?.focus(), [])

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (busy) return
    const data = new FormData(event.currentTarget)
    const password = String(data.get('password'))
    setShort(password.length < shortestPassword)
    if (password.length < shortestPassword) return
    setBusy(true)
    setError(null)
    try {
      const user = await finishSetup({
        token: token || String(data.get('token')).trim(),
        username: String(data.get('username')).trim(),
        password,
        language,
      })
      linkToken = null
      await onDone(user)
    } catch (failure) {
      setError(failure)
      setBusy(false)
    }
  }

  const passwordProblem = problem('password')
  const usernameProblem = problem('username')
  return (
    <Door title={t('setup.title')} lead={t('setup.lead')}>
      <form className="door-form" onSubmit={(event) => void submit(event)}>
        {error !== null && fieldErrors.length === 0 && (
          <Notice tone="fail" role="alert" title={describe(error, t)} />
        )}
        {!token && (
          <div className="field">
            <label htmlFor={`${id}t`}>{t('setup.token')}</label>
            <input
              id={`${id}t`}
              className="input mono"
              name="token"
              required
              autoComplete="off"
              spellCheck={false}
              aria-describedby={`${id}th`}
            />
            <span className="field-help" id={`${id}th`}>
              {t('setup.token_help')}
            </span>
          </div>
        )}
        <div className="field">
          <label htmlFor={`${id}u`}>{t('login.username')}</label>
          <input
            ref={first}
            id={`${id}u`}
            className="input"
            name="username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            maxLength={64}
            defaultValue="admin"
            aria-invalid={usernameProblem ? true : undefined}
            aria-describedby={usernameProblem ? `${id}ue` : undefined}
          />
          {usernameProblem && (
            <span className="field-error" id={`${id}ue`} role="alert">
              {describeField(usernameProblem, t)}
            </span>
          )}
        </div>
        <div className="field">
          <label htmlFor={`${id}p`}>{t('login.password')}</label>
          <input
            id={`${id}p`}
            className="input"
            name="password"
            type="password"
            autoComplete="new-password"
            required
            maxLength={200}
            aria-invalid={short || passwordProblem ? true : undefined}
            aria-describedby={`${id}ph`}
            onChange={(event) => {
              if (event.target.value.length >= shortestPassword) setShort(false)
            }}
          />
          <span
            className={short || passwordProblem ? 'field-error' : 'field-help'}
            id={`${id}ph`}
            role={short || passwordProblem ? 'alert' : undefined}
          >
            {passwordProblem
              ? describeField(passwordProblem, t)
              : t('setup.password_help', { count: shortestPassword })}
          </span>
        </div>
        <Button type="submit" primary busy={busy}>
          {t('setup.submit')}
        </Button>
      </form>
    </Door>
  )
}
