/** Name and password, on the sign-in page and in the dialog over an expired session. */
import { type FormEvent, useCallback, useId, useRef, useState } from 'react'
import { describe, isApiError } from '../../api/problem'
import { login } from '../../api/session'
import type { Me } from '../../api/types'
import { Button } from '../../design/Button'
import { Notice } from '../../design/feedback'
import { focusOnMount } from '../../design/focus'
import { useNow } from '../../design/Time'
import { useT } from '../../i18n/t'

export function LoginForm(props: { username?: string; onDone: (user: Me) => Promise<void> }) {
  const t = useT()
  const id = useId()
  const password = useRef<HTMLInputElement | null>(null)
  const known = Boolean(props.username)
  const keepPassword = useCallback(
    (element: HTMLInputElement | null) => {
      password.current = element
      if (known) focusOnMount(element)
    },
    [known],
  )
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [lockedUntil, setLockedUntil] = useState(0)
  const now = useNow()
  const wait = Math.ceil((lockedUntil - now) / 1000)

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (busy || wait > 0) return
    const data = new FormData(event.currentTarget)
    setBusy(true)
    setError(null)
    try {
      const user = await login({
        username: String(data.get('username')).trim(),
        password: String(data.get('password')),
      })
      await props.onDone(user)
    } catch (failure) {
      setError(failure)
      setBusy(false)
      if (isApiError(failure) && failure.retryAfter) setLockedUntil(Date.now() + failure.retryAfter)
      password.current?.select()
    }
  }

  return (
    <form className="door-form" onSubmit={(event) => void submit(event)}>
      {error !== null && (
        <Notice tone="fail" role="alert" title={describeSignIn(error, t)}>
          {wait > 0 && <p>{t('login.wait', { seconds: wait })}</p>}
        </Notice>
      )}
      <div className="field">
        <label htmlFor={`${id}u`}>{t('login.username')}</label>
        <input
          ref={known ? undefined : focusOnMount}
          id={`${id}u`}
          className="input"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          maxLength={64}
          defaultValue={props.username}
          readOnly={known}
        />
      </div>
      <div className="field">
        <label htmlFor={`${id}p`}>{t('login.password')}</label>
        <input
          ref={keepPassword}
          id={`${id}p`}
          className="input"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          maxLength={200}
        />
      </div>
      <Button type="submit" primary busy={busy}>
        {t('login.submit')}
      </Button>
    </form>
  )
}

/** A 401 here means the words were wrong, not that a session ended. */
function describeSignIn(error: unknown, t: ReturnType<typeof useT>): string {
  if (isApiError(error) && error.status === 401) return t('error.bad_credentials')
  return describe(error, t)
}
