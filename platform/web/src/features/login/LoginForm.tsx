/** Name and password, on the sign-in page and in the dialog over an expired session. */
import { useCallback, useRef, useState } from 'react'
import { describe, isApiError } from '../../api/problem'
import { login } from '../../api/session'
import type { Me } from '../../api/types'
import { Button } from '../../design/Button'
import { Field, Form } from '../../design/Form'
import { Notice } from '../../design/feedback'
import { focusOnMount } from '../../design/focus'
import { useNow } from '../../design/Time'
import { useT } from '../../i18n/t'

export function LoginForm(props: { username?: string; onDone: (user: Me) => Promise<void> }) {
  const t = useT()
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

  const submit = async (data: FormData) => {
    if (busy || wait > 0) return
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
    <Form className="door-form" onSubmit={submit}>
      {error !== null && (
        <Notice tone="fail" role="alert" title={describeSignIn(error, t)}>
          {wait > 0 && <p>{t('login.wait', { seconds: wait })}</p>}
        </Notice>
      )}
      <Field name="username" label={t('login.username')}>
        {(parts) => (
          <input
            {...parts}
            ref={known ? undefined : focusOnMount}
            className="input"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            maxLength={64}
            defaultValue={props.username}
            readOnly={known}
          />
        )}
      </Field>
      <Field name="password" label={t('login.password')}>
        {(parts) => (
          <input
            {...parts}
            ref={keepPassword}
            className="input"
            type="password"
            autoComplete="current-password"
            required
            maxLength={200}
          />
        )}
      </Field>
      <Button type="submit" primary busy={busy}>
        {t('login.submit')}
      </Button>
    </Form>
  )
}

/** A 401 here means the words were wrong, not that a session ended. */
function describeSignIn(error: unknown, t: ReturnType<typeof useT>): string {
  if (isApiError(error) && error.status === 401) return t('error.bad_credentials')
  return describe(error, t)
}
