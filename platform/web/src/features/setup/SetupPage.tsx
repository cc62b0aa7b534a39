/**
 * The first start: the one-time link from the server's console makes the administrator. The token is
 * in the fragment, which browsers send to nobody, and is taken out of the address at once.
 */
import { CircleCheck } from 'lucide-react'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { describe, describeField, isApiError } from '../../api/problem'
import { finishSetup } from '../../api/session'
import type { Me } from '../../api/types'
import { Button } from '../../design/Button'
import { Field, Form } from '../../design/Form'
import { Notice } from '../../design/feedback'
import { focusOnMount } from '../../design/focus'
import { useTitle } from '../../design/Page'
import { useLanguage, useT } from '../../i18n/t'
import { Door } from '../../parts/Door'

const shortestPassword = 8
const fields = ['token', 'username', 'password']

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
  const language = useLanguage()
  const [token] = useState(() => {
    linkToken = takeToken() || linkToken
    return linkToken ?? ''
  })
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const problems = useMemo(() => {
    const found = isApiError(error) ? error.errors : []
    return Object.fromEntries(found.map((each) => [each.field, describeField(each, t)]))
  }, [error, t])
  const isElsewhere = Object.keys(problems).every((field) => !fields.includes(field))

  const submit = async (data: FormData) => {
    if (busy) return
    setBusy(true)
    setError(null)
    try {
      const user = await finishSetup({
        token: token || String(data.get('token')).trim(),
        username: String(data.get('username')).trim(),
        password: String(data.get('password')),
        language,
      })
      linkToken = null
      await onDone(user)
    } catch (failure) {
      setError(failure)
      setBusy(false)
    }
  }

  return (
    <Door title={t('setup.title')} lead={t('setup.lead')}>
      <Form className="door-form" onSubmit={submit} problems={problems}>
        {error !== null && isElsewhere && (
          <Notice tone="fail" role="alert" title={describe(error, t)} />
        )}
        {!token && (
          <Field name="token" label={t('setup.token')} help={t('setup.token_help')}>
            {(parts) => (
              <input
                {...parts}
                className="input mono"
                required
                autoComplete="off"
                spellCheck={false}
              />
            )}
          </Field>
        )}
        <Field name="username" label={t('login.username')}>
          {(parts) => (
            <input
              {...parts}
              ref={focusOnMount}
              className="input"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              maxLength={64}
              defaultValue="admin"
            />
          )}
        </Field>
        <Field
          name="password"
          label={t('login.password')}
          help={t('form.too_short', { count: shortestPassword })}
        >
          {(parts) => (
            <input
              {...parts}
              className="input"
              type="password"
              autoComplete="new-password"
              required
              minLength={shortestPassword}
              maxLength={200}
            />
          )}
        </Field>
        <Button type="submit" primary busy={busy}>
          {t('setup.submit')}
        </Button>
      </Form>
    </Door>
  )
}
