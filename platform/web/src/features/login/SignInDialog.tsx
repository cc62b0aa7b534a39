/** The session ended while a page was open: sign in over it, and everything typed is still there. */
import { useStore } from 'react-redux'
import { signedOut } from '../../api/session'
import type { Me } from '../../api/types'
import { type Store, useAppSelector } from '../../app/store'
import { useT } from '../../i18n/t'
import Dialog from '../../overlay/Dialog'
import '../../parts/door.css'
import { LoginForm } from './LoginForm'

export default function SignInDialog({ onDone }: { onDone: (user: Me) => Promise<void> }) {
  const t = useT()
  const store = useStore() as Store
  const username = useAppSelector((state) => state.session.user?.username)
  return (
    <Dialog alert title={t('login.expired')} onClose={() => store.dispatch(signedOut())}>
      <p className="muted">{t('login.expired_text')}</p>
      <LoginForm username={username} onDone={onDone} />
    </Dialog>
  )
}
