/**
 * Who may see what: finds out whether somebody is signed in, whether the platform still has to be set
 * up, and sends everybody to the right door. An expired session is renewed over the page, so nothing
 * typed is lost.
 */
import { lazy, Suspense, useCallback, useEffect, useState } from 'react'
import { useStore } from 'react-redux'
import { Navigate, Route, Routes, useLocation } from 'react-router'
import { api } from '../api/base'
import { restoreSession, setupState, signedIn, signedOut } from '../api/session'
import type { Me } from '../api/types'
import { ErrorNotice, Spinner } from '../design/feedback'
import { useT } from '../i18n/t'
import { showLanguage } from './language'
import { Brand, Shell } from './Shell'
import { type Store, useAppSelector } from './store'
import { onSignOutElsewhere } from './tabs'

const LoginPage = lazy(() => import('../features/login/LoginPage'))
const SetupPage = lazy(() => import('../features/setup/SetupPage'))
const SignInDialog = lazy(() => import('../features/login/SignInDialog'))

const retryMs = 3000

function Splash({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const t = useT()
  return (
    <main className="splash">
      {error === null ? (
        <>
          <Spinner size={24} />
          <span className="visually-hidden">{t('state.loading')}</span>
        </>
      ) : (
        <>
          <Brand />
          <ErrorNotice error={error} title={t('gate.unreachable')} onRetry={onRetry} />
        </>
      )}
    </main>
  )
}

export function Gate() {
  const store = useStore() as Store
  const status = useAppSelector((state) => state.session.status)
  const [needsSetup, setNeedsSetup] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const location = useLocation()

  const enter = useCallback(
    async (user: Me) => {
      await showLanguage(user.language)
      setNeedsSetup(false)
      store.dispatch(signedIn(user))
    },
    [store],
  )

  const find = useCallback(async () => {
    try {
      const user = await restoreSession()
      setError(null)
      if (user) await enter(user)
      else {
        setNeedsSetup((await setupState()).required)
        store.dispatch(signedOut())
      }
    } catch (failure) {
      setError(failure)
    }
  }, [store, enter])

  useEffect(() => {
    void find()
  }, [find])

  useEffect(() => {
    if (error === null || status !== 'unknown') return
    const timer = setInterval(() => void find(), retryMs)
    return () => clearInterval(timer)
  }, [error, status, find])

  useEffect(() => {
    if (status === 'none') store.dispatch(api.util.resetApiState()) // nothing of the last user stays
  }, [status, store])

  useEffect(() => onSignOutElsewhere(() => store.dispatch(signedOut())), [store])

  if (status === 'unknown') return <Splash error={error} onRetry={() => void find()} />

  if (status === 'none') {
    const next = location.pathname + location.search + location.hash
    const login = next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`
    return (
      <Suspense fallback={<Splash error={null} onRetry={() => {}} />}>
        <Routes>
          <Route path="/setup" element={<SetupPage required={needsSetup} onDone={enter} />} />
          <Route
            path="/login"
            element={needsSetup ? <Navigate to="/setup" replace /> : <LoginPage onDone={enter} />}
          />
          <Route path="*" element={<Navigate to={needsSetup ? '/setup' : login} replace />} />
        </Routes>
      </Suspense>
    )
  }

  return (
    <>
      <Shell />
      {status === 'expired' && (
        <Suspense fallback={null}>
          <SignInDialog onDone={enter} />
        </Suspense>
      )}
    </>
  )
}
