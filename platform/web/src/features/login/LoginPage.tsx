import type { Me } from '../../api/types'
import { useTitle } from '../../design/Page'
import { useT } from '../../i18n/t'
import { Door } from '../../parts/Door'
import { LoginForm } from './LoginForm'

export default function LoginPage({ onDone }: { onDone: (user: Me) => Promise<void> }) {
  const t = useT()
  useTitle(t('login.title'))
  return (
    <Door title={t('login.title')}>
      <LoginForm onDone={onDone} />
    </Door>
  )
}
